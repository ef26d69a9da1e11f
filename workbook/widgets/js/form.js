// Controls described by data: builds them once, shows what the kernel says, and tells the kernel what the user does.

const TAKE_KEYS = new Set(["button", "input", "select", "summary", "textarea"])

const made = (tag, properties = {}, ...children) => {
  const {dataset = {}, aria = {}, ...rest} = properties
  const element = Object.assign(document.createElement(tag), rest)
  // else JupyterLab takes arrow keys, Enter and letters for the notebook; it looks at the focused element itself
  if (TAKE_KEYS.has(tag)) element.dataset.lmSuppressShortcuts = "true"
  Object.assign(element.dataset, dataset)
  for (const [name, value] of Object.entries(aria)) element.setAttribute(name === "role" ? name : `aria-${name}`, value)
  element.append(...children)
  return element
}

// every form of a page is a module of its own: a counter alone would give two controls one id
const page = Math.random().toString(36).slice(2)
let numbered = 0
const freshId = () => `memslots-${page}-${numbered++}`

// One message at a time: the next one waits for the kernel's answer, and of a slider only the last position waits.
class Line {
  constructor(model) {
    this.model = model
    this.sent = model.get("ack")
    this.held = []
  }
  get busy() {
    return this.sent > this.model.get("ack")
  }
  send(message) {
    if (!this.busy) {
      this.sent = Math.max(this.sent, this.model.get("ack")) + 1
      this.model.send({...message, seq: this.sent})
      return
    }
    const same = this.held.findIndex((one) => one.replaces && one.name === message.name)
    if (message.replaces && same >= 0) this.held.splice(same, 1)
    this.held.push(message)
  }
  answered() {
    if (!this.busy && this.held.length) this.send(this.held.shift())
  }
  waits(name) {
    return this.busy && this.last === name || this.held.some((one) => one.name === name)
  }
}

// What is typed counts once: with Enter, or when the field is left; until then the kernel's value does not replace it.
const typedInto = (field, commit) => {
  let typing = false
  const done = () => {
    if (!typing) return
    typing = false
    commit(field.value)
  }
  field.addEventListener("input", () => { typing = true })
  for (const name of ["change", "blur"]) field.addEventListener(name, done)
  if (field.tagName === "INPUT")
    field.addEventListener("keydown", (event) => { if (event.key === "Enter") done() })
  return () => typing
}

const noteOf = (item) => ({title: item.help ?? "", ariaDescription: item.help ?? ""})

const KINDS = {
  slider(item, say) {
    const id = freshId()
    const range = made("input", {type: "range", min: 0, step: 1, id, ...noteOf(item)})
    const field = made("input", {type: "text", autocomplete: "off", spellcheck: false,
      title: `${item.label}: ${item.any}`, ariaLabel: `${item.label}, typed`})
    const marks = made("div", {className: "marks", ariaHidden: "true"})
    const root = made("div", {className: "slider"},
      made("label", {htmlFor: id, textContent: item.label}), field, range, marks)
    let texts = [], value = {}, dragged = false
    const tell = () => {
      field.value = texts[range.value] ?? ""
      range.setAttribute("aria-valuetext", field.value)
    }
    range.addEventListener("pointerdown", () => { dragged = true })
    for (const name of ["pointerup", "pointercancel", "blur"])
      range.addEventListener(name, () => { dragged = false; setTimeout(show, 0) })
    range.addEventListener("input", () => { tell(); say({at: Number(range.value)}, {replaces: true}) })
    const typing = typedInto(field, (text) => say({text}))
    const show = () => {
      if (dragged || root.waits?.()) return
      range.max = Math.max(texts.length - 1, 0)
      range.value = value.at ?? 0
      if (!typing()) field.value = value.text ?? ""
      range.setAttribute("aria-valuetext", value.text ?? "")
    }
    return {root, show(now, offer) {
      value = now
      if (offer && offer.texts !== texts) {
        texts = offer.texts
        const last = Math.max(texts.length - 1, 1)
        marks.replaceChildren(...offer.marks.map(([at, text]) => {
          const mark = made("span", {textContent: text, className: at === 0 ? "first" : at === last ? "last" : ""})
          mark.style.left = `calc(8px + (100% - 16px) * ${at / last})`
          return mark
        }))
      }
      range.disabled = field.disabled = Boolean(now.disabled)
      show()
    }}
  },

  choice(item, say) {
    const id = freshId()
    const select = made("select", {id, ...noteOf(item)})
    if (item.bare) select.ariaLabel = item.label
    const root = made("div", {className: "choice"})
    if (!item.bare) root.append(made("label", {htmlFor: id, textContent: item.label}))
    root.append(select)
    select.addEventListener("change", () => say({at: select.selectedIndex}))
    let options = null
    return {root, show(now, offer) {
      if (offer && offer.options !== options) {
        options = offer.options
        select.replaceChildren(...options.map((text) => made("option", {textContent: text, value: text})))
      }
      select.disabled = Boolean(now.disabled)
      select.selectedIndex = now.at ?? -1
    }}
  },

  flag(item, say) {
    const box = made("input", {type: "checkbox", ...noteOf(item)})
    const root = made("label", {className: "flag", title: item.help ?? ""}, box, item.label)
    box.addEventListener("change", () => say({on: box.checked}))
    return {root, show(now) {
      box.disabled = Boolean(now.disabled)
      box.checked = Boolean(now.on)
    }}
  },

  text(item, say) {
    const id = freshId()
    const field = made(item.kind === "area" ? "textarea" : "input", {id, spellcheck: false, autocomplete: "off",
      placeholder: item.placeholder ?? "", ...noteOf(item)})
    if (item.rows) field.rows = item.rows
    const root = made("div", {className: item.kind === "area" ? "area" : "text"},
      made("label", {htmlFor: id, textContent: item.label}), field)
    const typing = typedInto(field, (text) => say({text}))
    return {root, show(now) {
      field.disabled = Boolean(now.disabled)
      if (!typing() && now.text !== undefined && field.value !== now.text) field.value = now.text
    }}
  },

  button(item, say) {
    const button = made("button", {type: "button", textContent: item.label, ...noteOf(item)})
    button.addEventListener("click", () => say({}))
    return {root: button, show(now) {
      button.disabled = Boolean(now.disabled)
      if (now.pressed !== undefined) button.ariaPressed = String(now.pressed)
      if (now.label !== undefined) button.textContent = now.label
    }}
  },

  tabs(item, say) {
    const root = made("div", {className: "tabs", aria: {role: "tablist", label: item.label}})
    const tabs = item.options.map((text, at) => {
      const tab = made("button", {type: "button", textContent: text, aria: {role: "tab"}})
      tab.addEventListener("click", () => say({at}))
      return tab
    })
    root.append(...tabs)
    root.addEventListener("keydown", (event) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key]
      if (!step) return
      const at = (tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length
      tabs[at].focus()
      say({at})
    })
    return {root, show(now) {
      tabs.forEach((tab, at) => {
        tab.setAttribute("aria-selected", String(at === now.at))
        tab.tabIndex = at === now.at ? 0 : -1
      })
    }}
  },

  player(item, say) {
    const id = freshId()
    const play = made("button", {type: "button", textContent: "▶", title: "Play all steps", ariaLabel: "Play all steps"})
    const range = made("input", {type: "range", min: 0, step: 1, id, ...noteOf(item)})
    const title = made("output", {htmlFor: id})
    const root = made("div", {className: "player"}, play, made("label", {htmlFor: id, textContent: item.label}),
      range, title)
    let timer = 0, titles = []
    const stop = () => { clearInterval(timer); timer = 0; play.textContent = "▶" }
    const tell = () => {
      title.textContent = titles[range.value] ?? ""
      range.setAttribute("aria-valuetext", title.textContent)
    }
    const move = (at, replaces = true) => { range.value = at; tell(); say({at: Number(range.value)}, {replaces}) }
    range.addEventListener("input", () => { stop(); move(range.value) })
    play.addEventListener("click", () => {
      if (timer) return stop()
      play.textContent = "⏸"
      move(Number(range.value) >= Number(range.max) ? 0 : Number(range.value) + 1)
      timer = setInterval(() => {
        if (!root.isConnected || Number(range.value) >= Number(range.max)) return stop()
        move(Number(range.value) + 1)
      }, 900)
    })
    return {root, show(now, offer) {
      titles = offer?.texts ?? titles
      if (root.waits?.()) return
      range.max = Math.max(titles.length - 1, 0)
      range.value = now.at ?? 0
      range.disabled = play.disabled = titles.length < 2
      tell()
    }}
  },

  order(item, say) {
    const body = made("div", {aria: {role: "list", label: item.label}})
    const add = item.add.map(([kind, label, help]) => {
      const button = made("button", {type: "button", textContent: label, title: help})
      button.addEventListener("click", () => say({op: "add", kind}))
      return button
    })
    const names = made("datalist", {id: freshId()}, ...item.known.map((one) => made("option", {value: one})))
    const asks = made("div", {className: "asks"})
    const root = made("div", {className: "order"},
      made("div", {className: "head"}, made("b", {textContent: item.label}), ...add), body, asks, names)
    let shown = ""
    const small = (text, help, handler, disabled = false) => {
      const button = made("button", {type: "button", textContent: text, title: help, ariaLabel: help, disabled})
      button.addEventListener("click", handler)
      return button
    }
    return {root, show(now) {
      const text = JSON.stringify(now)
      if (text === shown) return
      shown = text
      asks.textContent = now.asks
      const focused = body.contains(document.activeElement) ? document.activeElement.ariaLabel : null
      body.replaceChildren(...now.rows.map((row, at) => {
        const line = made("div", {className: "row", aria: {role: "listitem"}, title: row.title})
        if (row.kind === "vhost" && now.several) {
          const pick = made("input", {type: "radio", checked: row.selected, title: item.pick,
            ariaLabel: `${row.name}: ${item.pick}`, name: names.id})
          pick.addEventListener("change", () => say({op: "pick", row: at}))
          line.append(pick)
        }
        line.append(made("span", {className: "name", textContent: row.name}))
        if (row.kind === "vhost") {
          const field = made("input", {type: "text", value: row.limit, placeholder: row.placeholder,
            title: row.help, ariaLabel: `${row.name}: memslots or program`})
          field.setAttribute("list", names.id)
          typedInto(field, (text) => say({op: "limit", row: at, text}))
          line.append(field)
        } else {
          line.append(made("span", {className: "what", textContent: row.what}))
        }
        line.append(
          small("↑", `${row.name}: plug earlier`, () => say({op: "move", row: at, by: -1}), at === 0),
          small("↓", `${row.name}: plug later`, () => say({op: "move", row: at, by: 1}), at + 1 === now.rows.length),
        )
        if (row.removable) line.append(small("✕", `${row.name}: remove`, () => say({op: "remove", row: at})))
        return line
      }))
      if (focused) [...body.querySelectorAll("button, input")].find((one) => one.ariaLabel === focused)?.focus()
    }}
  },
}
KINDS.area = KINDS.text

function render({model, el: root}) {
  root.classList.add("memslots-form", ...model.get("looks"))
  const line = new Line(model), controls = new Map()
  const help = made("div", {className: "help"})

  function build(item) {
    if (item.kind === "group") {
      const inside = made("div", {className: item.look ?? "inside"}, ...item.items.map(build))
      if (!item.label) return inside
      return made("details", {}, made("summary", {textContent: item.label, title: item.help ?? ""}), inside)
    }
    const say = (value, more = {}) => { line.send({name: item.name, ...value, ...more}); line.last = item.name }
    const control = KINDS[item.kind](item, say)
    control.root.waits = () => line.waits(item.name)
    control.root.dataset.name = item.name
    const tell = () => { help.textContent = item.help ? `${item.label}: ${item.help}` : "" }
    control.root.addEventListener("focusin", tell)
    control.root.addEventListener("pointerenter", tell)
    controls.set(item.name, control)
    return control.root
  }

  root.append(...model.get("items").map(build))
  if (model.get("explains")) root.append(help)

  function show() {
    const values = model.get("values"), offers = model.get("offers")
    for (const [name, control] of controls) {
      const value = values[name] ?? {}
      control.show(value, offers[name])
      control.root.hidden = Boolean(value.hidden)
      control.root.classList.toggle("differs", Boolean(value.differs))
    }
  }
  const answered = () => { show(); line.answered() }
  show()
  model.on("change:values", show)
  model.on("change:offers", show)
  model.on("change:ack", answered)
  return () => {
    model.off("change:values", show)
    model.off("change:offers", show)
    model.off("change:ack", answered)
  }
}

export default {render}
