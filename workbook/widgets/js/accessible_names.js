// Gives pictures the names and roles that Bokeh leaves out, for assistive technology.

(() => {
  if (window.memslotsNamed) return
  window.memslotsNamed = true

  const setTo = (element, name, value) => {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value)
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
        namePictures(root)
      }
    }, 50)
  }
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true})
  look()
})()
