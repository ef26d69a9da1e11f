"use strict"
// Starts Python in the page and shows what `workbook.page.live` answers. No rule of QEMU or KVM is written here.

const one = (id) => document.getElementById(id)
const started = performance.now()
let session = null

function say(text, failed = false) {
  const place = one("starting")
  place.textContent = text
  place.classList.toggle("failed", failed)
}

async function unpacked(name) {
  const script = document.querySelector(`script[data-payload="${name}"]`)
  const text = script.textContent
  script.remove()
  const packed = Uint8Array.fromBase64
    ? Uint8Array.fromBase64(text)
    : Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

async function startPython() {
  const [wasm, stdlib, loader, lock, model] = await Promise.all(
    ["wasm", "stdlib", "loader", "lock", "model"].map(unpacked),
  )
  say("The model is starting: Python is being compiled ...")
  // Pyodide asks for its parts by address: they are here
  const parts = {"pyodide.asm.wasm": [wasm, "application/wasm"], "python_stdlib.zip": [stdlib, "application/zip"]}
  const fetched = window.fetch
  window.fetch = async (address, options) => {
    const part = parts[String(address?.url ?? address).split("/").pop()]
    return part ? new Response(part[0], {headers: {"Content-Type": part[1]}}) : fetched(address, options)
  }
  const address = URL.createObjectURL(new Blob([loader], {type: "text/javascript"}))
  try {
    const python = await loadPyodide({
      indexURL: "memory:/",
      createPyodideModule: (await import(address)).default,
      lockFileContents: new TextDecoder().decode(lock),
    })
    python.unpackArchive(model, "zip", {extractDir: "/model"})
    say("The model is starting: it is being imported ...")
    return python.runPython("import sys; sys.path.insert(0, '/model'); from workbook.page.live import Session; Session()")
  } finally {
    window.fetch = fetched
    URL.revokeObjectURL(address)
  }
}

function widths() {
  const results = document.querySelector(".results").clientWidth
  const pair = getComputedStyle(document.querySelector(".pair")).gridTemplateColumns.split(" ").length
  return [results, pair > 1 ? Math.floor((results - 20) / 2) : results]
}

function show(answer) {
  const error = one("error")
  error.hidden = !answer.error
  error.textContent = answer.error ?? ""
  if (answer.error) return
  one("read-as").textContent = `Read as ${answer.read_as}.`
  one("notes").replaceChildren(
    ...answer.notes.map(([kind, where, text]) => {
      const item = document.createElement("li"), strong = document.createElement("strong")
      strong.textContent = kind
      item.append(strong, ` ${where ? `${where}: ` : ""}${text}`)
      return item
    }),
  )
  one("vm").textContent = answer.vm
  one("sentence").textContent = answer.sentence
  for (const name of ["numbers", "verdict", "trace", "map", "metadata", "budget"]) one(name).innerHTML = answer[name]
  one("answer").classList.toggle("without-machine", !answer.map)
  showControls(answer.controls)
  showBackends(answer.backends)
  for (const text of document.querySelectorAll("details[data-text][open]")) write(text)
  clearTimeout(show.later)
  show.later = setTimeout(() => {
    const {verdict} = JSON.parse(session.advice())
    if (verdict !== undefined) one("verdict").innerHTML = verdict
  }, 120)
}

function write(text) {
  text.querySelector("pre").textContent = session.text(text.dataset.text) || "nothing"
}

function showControls(controls) {
  const names = controls.map((control) => `${control.kind} ${control.name}`).join()
  const place = one("controls")
  if (place.dataset.names !== names) {
    place.dataset.names = names
    place.replaceChildren(...controls.map(made))
  }
  for (const control of controls) update(control)
}

function made({name, label, help, kind}) {
  const row = document.createElement("div")
  row.className = kind === "range" ? "slider" : "field"
  const input = document.createElement(kind === "select" ? "select" : "input")
  input.id = `setting-${name}`
  input.dataset.setting = name
  if (kind !== "select") input.type = kind === "range" ? "range" : "checkbox"
  input.setAttribute("aria-describedby", `${input.id}-help`)
  const title = document.createElement("label")
  title.htmlFor = input.id
  title.textContent = label
  const small = document.createElement("small")
  small.id = `${input.id}-help`
  small.textContent = row.title = help
  const shown = document.createElement("output")
  shown.setAttribute("for", input.id)
  shown.setAttribute("aria-live", "off")
  row.append(...(kind === "flag" ? [input, title] : kind === "range" ? [title, shown, input] : [title, input]), small)
  const event = kind === "range" ? "input" : "change"
  input.addEventListener(event, () => turn(name, kind === "flag" ? Number(input.checked) : Number(input.value)))
  return row
}

function update({name, kind, labels, at}) {
  const input = one(`setting-${name}`)
  if (kind === "flag") {
    input.checked = at === 1
  } else if (kind === "select") {
    if (input.dataset.labels !== labels.join()) {
      input.dataset.labels = labels.join()
      input.replaceChildren(...labels.map((label, index) => new Option(label, index)))
    }
    input.value = at
  } else {
    input.max = labels.length - 1
    input.value = at
    input.setAttribute("aria-valuetext", labels[at])
    input.parentElement.querySelector("output").value = labels[at]
  }
}

function showBackends(backends) {
  const place = one("backends"), names = backends.map(({name}) => name).join()
  if (place.dataset.names !== names) {
    place.dataset.names = names
    place.replaceChildren(
      ...backends.map(({name, driver}) => {
        const row = document.createElement("div")
        row.className = "field"
        const input = Object.assign(document.createElement("input"), {type: "text", autocomplete: "off", id: `backend-${name}`})
        const title = Object.assign(document.createElement("label"), {htmlFor: input.id})
        title.textContent = `Memslots or program of ${name} (${driver})`
        const small = document.createElement("small")
        row.append(title, input, small)
        input.addEventListener("change", () => answered(() => session.report(name, input.value)))
        return row
      }),
    )
  }
  for (const {name, slots, assumed} of backends) {
    const input = one(`backend-${name}`)
    if (document.activeElement !== input) input.value = slots
    input.parentElement.querySelector("small").textContent = assumed ? `assumed ${slots}: what does yours report?` : ""
  }
}

function answered(ask) {
  const before = performance.now()
  show(JSON.parse(ask()))
  document.documentElement.dataset.answerMs = String(Math.round(performance.now() - before))
}

const turn = (name, position) => answered(() => session.turn(name, position))

function read() {
  one("answer").hidden = false
  session.resize(...widths())
  answered(() => session.paste(one("text").value))
  one("answer").hidden = !one("error").hidden
}

async function start() {
  startThemes()
  for (const form of document.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault())
  if (typeof WebAssembly !== "object" || typeof DecompressionStream !== "function") {
    return say("This browser forbids WebAssembly, or is too old for it: the model cannot run here.", true)
  }
  try {
    session = await startPython()
  } catch (error) {
    console.error(error)
    return say(`The model cannot run in this browser: it forbids WebAssembly (${error.message}).`, true)
  }
  one("starting").hidden = true
  one("read").disabled = false
  one("paste").addEventListener("submit", read)
  one("text").addEventListener("paste", () => setTimeout(read))
  for (const text of document.querySelectorAll("details[data-text]")) {
    text.addEventListener("toggle", () => text.open && write(text))
  }
  let later
  addEventListener("resize", () => {
    clearTimeout(later)
    later = setTimeout(() => one("answer").hidden || answered(() => session.resize(...widths())), 150)
  })
  read()
  document.documentElement.dataset.startedMs = String(Math.round(performance.now() - started))
}

start()
