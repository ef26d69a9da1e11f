"use strict"
// Shows what was decided beforehand: picks a frame, unpacks it from the tape, hands it to the charts and texts.
// No rule of QEMU or KVM is written here.

// charts are drawn with placeholders, for which each theme has its colours
const colours = JSON.parse(document.querySelector("script[data-colours]").textContent)
const placeholder = new RegExp(`(#|%23)(${Object.keys(colours.light).map((one) => one.slice(1)).join("|")})`, "g")
const painted = (text, theme) =>
  text.replace(placeholder, (_, sign, name) => sign + colours[theme][`#${name}`].slice(1))

async function embed(target, data, docid) {
  const copy = JSON.parse(painted(JSON.stringify(data.document), pageTheme()))
  const roots = {}
  for (const [name, root] of Object.entries(data.roots)) {
    const place = document.createElement("div")
    place.id = `${docid}-${name}`
    target(name).replaceChildren(place)
    roots[root] = place.id
  }
  const item = {docid, roots, root_ids: Object.values(data.roots)}
  const [views] = await Bokeh.embed.embed_items({[docid]: copy}, [item])
  return {views, document: [...views][0].model.document}
}

function strike({views, document}) {
  views.clear()
  const at = Bokeh.documents.indexOf(document)
  if (at >= 0) Bokeh.documents.splice(at, 1)
}

class Panel {
  constructor(element, data) {
    this.element = element
    this.data = data
    this.strides = []
    let stride = 1
    for (const axis of [...data.axes].reverse()) {
      this.strides.unshift(stride)
      stride *= axis.labels.length
    }
    this.frames = new Map()
    for (const [index, frame, count] of data.grid) {
      for (let i = 0; i < count; i++) this.frames.set(index + i, frame + i)
    }
    this.step = data.start
    this.at = [...data.places[data.start]]
    this.applied = new Map()
    this.inputs = new Map()
    for (const input of element.querySelectorAll("input[type=range]")) {
      this.inputs.set(input.dataset.axis, input)
      input.addEventListener("input", () => this.turn(input.dataset.axis, Number(input.value)))
    }
    for (const input of element.querySelectorAll("fieldset[data-axis] input")) {
      input.addEventListener("change", () => this.turn("rules", Number(input.value)))
    }
    for (const button of element.querySelectorAll("[data-step]")) {
      button.addEventListener("click", () => this.goTo(Number(button.dataset.step)))
    }
    element.querySelector("form").addEventListener("submit", (event) => event.preventDefault())
    element.querySelector("[data-back]").addEventListener("click", () => {
      this.at[0] = data.axes[0].start
      this.goTo(data.start)
    })
    themeListeners.push(() => this.stage())
  }

  axis(name) {
    return this.data.axes.findIndex((one) => one.name === name)
  }

  // -- picking --------------------------------------------------------------------------------------------------

  turn(name, index) {
    this.at[this.axis(name)] = index
    if (name !== "rules") this.step = null
    this.show()
  }

  goTo(step) {
    this.step = step
    this.at = [this.at[0], ...this.data.places[step].slice(1)]
    this.show()
  }

  // no request above the size of the device: the slider ends there
  limitRequest() {
    const size = this.axis("device_size"), request = this.axis("requested_size")
    if (request < 0) return
    const most = this.data.axes[size].values[this.at[size]]
    const last = this.data.axes[request].values.findLastIndex((one) => one <= most)
    this.at[request] = Math.min(this.at[request], last)
    const input = this.inputs.get("requested_size")
    if (input) input.max = last
  }

  frameOf(rules) {
    if (this.step !== null) return this.data.steps[this.step][rules]
    const at = [rules, ...this.at.slice(1)]
    return this.frames.get(at.reduce((sum, one, i) => sum + one * this.strides[i], 0))
  }

  // -- unpacking ------------------------------------------------------------------------------------------------

  value(number, theme) {
    const found = this.data.values[number]
    if (typeof found === "string") return painted(found, theme)
    return found !== null && typeof found === "object" ? JSON.parse(painted(JSON.stringify(found), theme)) : found
  }

  column(number, theme) {
    const runs = this.data.columns[number], found = []
    for (let at = 0; at < runs.length; at += 3) {
      for (let i = 0; i < runs[at + 1]; i++) found.push(this.value(runs[at] + i * runs[at + 2], theme))
    }
    return found
  }

  // -- showing --------------------------------------------------------------------------------------------------

  async stage() {
    const turn = (this.staging = Symbol())
    this.element.dataset.ready = "false"
    this.document = null
    if (this.staged) strike(this.staged)
    this.staged = null
    const places = (name) => this.element.querySelector(`[data-chart="${name}"]`)
    const staged = await embed(places, this.data, this.element.id)
    if (this.staging !== turn) return strike(staged)
    this.staged = staged
    this.document = staged.document
    this.applied.clear()
    this.show()
  }

  show() {
    this.limitRequest()
    this.showControls()
    const theme = pageTheme(), {data} = this
    const parts = data.frames[data.shown[this.frameOf(this.at[0])]]
    this.showCharts(parts, theme)
    let at = data.tracked.length
    for (const [name, markup] of data.words) this.showWords(name, data.values[parts[at++]], markup)
    for (const [name, joint] of data.lines) this.showLines(name, joint, parts[at++], theme)
    const cells = data.tracked.length + data.words.findIndex(([name]) => name === "cells")
    for (const row of this.element.querySelectorAll("tr[data-rules]")) {
      const rules = Number(row.dataset.rules)
      const other = data.frames[data.shown[this.frameOf(rules)]]
      this.setHtml(row, row.firstElementChild.outerHTML + data.values[other[cells]])
      row.toggleAttribute("aria-current", rules === this.at[0])
    }
    this.element.dataset.ready = String(this.document !== null)
  }

  showControls() {
    for (const [number, axis] of this.data.axes.entries()) {
      const input = this.inputs.get(axis.name), label = axis.labels[this.at[number]]
      if (input) {
        input.value = this.at[number]
        input.setAttribute("aria-valuetext", label)
        this.element.querySelector(`output[for="${input.id}"]`).value = label
        input.style.setProperty("--filled", `${input.max > 0 ? (100 * this.at[number]) / input.max : 0}%`)
      } else if (axis.name === "rules") {
        this.element.querySelectorAll("fieldset[data-axis] input")[this.at[number]].checked = true
      }
    }
    for (const button of this.element.querySelectorAll("[data-step]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.step) === this.step))
    }
    const many = this.data.steps.length > 1
    this.element.querySelector("[data-mode]").textContent =
      this.step === null
        ? "Shown: the guest is asked for this size and plugs it."
        : many
          ? `Shown: step ${this.step + 1} of ${this.data.steps.length}. Moving a slider ends the tour.`
          : "Shown: the VM as it was given."
  }

  showCharts(parts, theme) {
    if (this.document === null || this.document === undefined) return
    this.data.tracked.forEach(([name, attribute, columns], i) => {
      if (this.applied.get(i) === parts[i]) return
      this.applied.set(i, parts[i])
      const model = this.document.get_model_by_id(name)
      if (columns === null) {
        model.setv({[attribute]: this.value(parts[i], theme)})
      } else {
        const group = this.data.groups[parts[i]]
        model.data = Object.fromEntries(columns.map((one, at) => [one, this.column(group[at], theme)]))
      }
    })
  }

  showWords(name, text, markup) {
    for (const place of this.element.querySelectorAll(`[data-words="${name}"]`)) {
      if (markup) this.setHtml(place, text)
      else place.textContent = text
    }
  }

  setHtml(place, text) {
    if (place.shown !== text) place.innerHTML = place.shown = text
  }

  showLines(name, joint, number, theme) {
    const place = this.element.querySelector(`[data-lines="${name}"]`), key = `${number}`
    if (place.shown === key) return
    place.shown = key
    place.textContent = this.column(number, theme).join(joint) || "nothing"
  }
}

async function startPanels() {
  startThemes()
  const panels = (window.panels = [])
  for (const script of document.querySelectorAll("script[data-panel]")) {
    const panel = new Panel(document.getElementById(script.dataset.panel), JSON.parse(script.textContent))
    panels.push(panel)
    await panel.stage()
  }
  for (const script of document.querySelectorAll("script[data-pictures]")) {
    const place = document.getElementById(script.dataset.pictures), data = JSON.parse(script.textContent)
    await embed((name) => place.querySelector(`[data-chart="${name}"]`), data, place.id)
  }
  // paper has no triangles to click on
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not([open])")) {
      one.open = true
      one.dataset.opened = ""
    }
  })
  addEventListener("afterprint", () => {
    for (const one of document.querySelectorAll("details[data-opened]")) {
      one.open = false
      delete one.dataset.opened
    }
  })
}

const drawn = startPanels()
