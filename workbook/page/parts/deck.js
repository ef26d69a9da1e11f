"use strict"
// Slides: arrow keys, Page Up and Down, space, Home and End; arrows stay with a slider that has the focus.
// What does not fit on a slide goes on on the next one.

{
  const deck = document.querySelector(".deck"), shown = document.querySelector("[data-page]")
  const groups = [...deck.querySelectorAll(".slide")].map((slide) => [...slide.firstElementChild.children])
  let all = [...deck.querySelectorAll(".slide")]
  let current = 0

  function fill() {
    const first = all[current]?.querySelector(".cell"), slides = []
    for (const group of groups) {
      let content = null
      for (const cell of group) {
        content?.append(cell)
        if (content !== null && !overflows(content.parentElement)) continue
        const slide = document.createElement("section")
        slide.className = "slide"
        slide.tabIndex = -1
        content = slide.appendChild(document.createElement("div"))
        content.append(cell)
        deck.append(slide)
        slides.push(slide)
      }
      keepHeading(slides)
    }
    for (const slide of all) slide.remove()
    all = slides
    for (const [index, slide] of all.entries()) {
      slide.id = `slide-${index + 1}`
      slide.setAttribute("aria-label", `Slide ${index + 1} of ${all.length}`)
    }
    return Math.max(0, all.findIndex((slide) => slide.contains(first)))
  }
  const overflows = (slide) => slide.scrollHeight > slide.clientHeight
  // a heading alone at the end of a slide belongs to what follows
  function keepHeading(slides) {
    const [before, last] = slides.slice(-2)
    const heading = before?.firstElementChild.lastElementChild
    if (last && heading?.matches(".prose") && heading.children.length === 1 && heading.querySelector("h2, h3")) {
      last.firstElementChild.prepend(heading)
      if (overflows(last)) before.firstElementChild.append(heading)
    }
  }

  function go(to, how = "auto") {
    current = Math.max(0, Math.min(all.length - 1, to))
    all[current].scrollIntoView({behavior: how, inline: "start", block: "nearest"})
    all[current].focus({preventScroll: true})
    tell()
  }
  function tell() {
    shown.textContent = `${current + 1} / ${all.length}`
    history.replaceState(null, "", `#${current + 1}`)
  }
  const turns = {
    ArrowRight: () => current + 1, PageDown: () => current + 1, " ": () => current + 1,
    ArrowLeft: () => current - 1, PageUp: () => current - 1,
    Home: () => 0, End: () => all.length - 1,
  }
  addEventListener("keydown", (event) => {
    const taken = event.target.closest?.("input, button, summary, select, textarea, a[href], [tabindex='0']")
    if (taken || event.ctrlKey || event.altKey || event.metaKey || !(event.key in turns)) return
    event.preventDefault()
    go(turns[event.key]() + (event.key === " " && event.shiftKey ? -2 : 0))
  })
  for (const button of document.querySelectorAll("[data-turn]")) {
    button.addEventListener("click", () => go(current + Number(button.dataset.turn)))
  }
  const watcher = new IntersectionObserver(
    (entries) => {
      const seen = entries.find((one) => one.isIntersecting)
      if (seen && all.includes(seen.target)) {
        current = all.indexOf(seen.target)
        tell()
      }
    },
    {root: deck, threshold: 0.6},
  )
  function arrange() {
    watcher.disconnect()
    current = fill()
    for (const one of all) watcher.observe(one)
    all[current].scrollIntoView({inline: "start", block: "nearest"})
    tell()
    deck.dataset.arranged = `${innerWidth} x ${innerHeight}`
  }
  let later
  addEventListener("resize", () => {
    clearTimeout(later)
    later = setTimeout(arrange, 200)
  })
  const asked = Number(location.hash.slice(1)) - 1 || 0
  go(asked)
  drawn.then(() => {
    arrange()
    go(asked)
  })
}
