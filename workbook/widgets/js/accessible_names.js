// Gives the page's controls the names, values and roles that ipywidgets and Bokeh leave out, for assistive technology.

(() => {
  if (window.memslotsNamed) return
  window.memslotsNamed = true

  const setTo = (element, name, value) => {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value)
  }

  function nameSliders(root) {
    for (const slider of root.querySelectorAll(".widget-slider")) {
      const handle = slider.querySelector(".noUi-handle")
      const label = slider.querySelector(".widget-label")?.textContent.trim()
      if (!handle || !label) continue
      const readout = slider.querySelector(".widget-readout")?.textContent.trim()
      const field = slider.parentElement.querySelector(".widget-text input")
      setTo(handle, "aria-label", label)
      const value = field?.value || readout
      if (value) setTo(handle, "aria-valuetext", value)
    }
  }

  function nameFields(root) {
    for (const widget of root.querySelectorAll(".widget-text, .widget-dropdown")) {
      const input = widget.querySelector("input, select")
      const label = widget.querySelector(".widget-label")?.textContent.trim()
      if (input && !label && (input.title || widget.title)) setTo(input, "aria-label", input.title || widget.title)
    }
    for (const button of root.querySelectorAll("button")) {
      if (!button.textContent.trim() && button.title) setTo(button, "aria-label", button.title)
    }
    const words = ["Play", "Pause", "Stop", "Repeat"]
    for (const play of root.querySelectorAll(".widget-play")) {
      play.querySelectorAll("button").forEach((button, at) => {
        if (!button.title) setTo(button, "aria-label", words[play.childElementCount === 3 && at ? at + 1 : at])
      })
    }
  }

  function namePictures(root) {
    for (const picture of root.querySelectorAll("[class*='memslots-picture']")) {
      const name = [...picture.classList].find((one) => one.startsWith("memslots-picture-"))
      if (!name) continue
      setTo(picture, "role", "figure")
      setTo(picture, "aria-label", name.slice("memslots-picture-".length).replaceAll("_", " "))
    }
  }

  let waiting = false
  function look() {
    if (waiting) return
    waiting = true
    setTimeout(() => {
      waiting = false
      for (const root of document.querySelectorAll(".memslots")) {
        nameSliders(root)
        nameFields(root)
        namePictures(root)
      }
    }, 50)
  }
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true, attributes: true,
    attributeFilter: ["aria-valuenow", "title"]})
  look()
})()
