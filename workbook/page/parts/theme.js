"use strict"
// The light and the dark theme of a page: as the system has it, until a button says otherwise.

const pageTheme = () => document.documentElement.dataset.theme
const themeListeners = []

function setTheme(theme) {
  document.documentElement.dataset.theme = theme
  for (const button of document.querySelectorAll("[data-theme-button]")) {
    button.setAttribute("aria-pressed", String(theme === "dark"))
  }
  for (const listener of themeListeners) listener(theme)
}

function startThemes() {
  const dark = matchMedia("(prefers-color-scheme: dark)")
  setTheme(dark.matches ? "dark" : "light")
  dark.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"))
  for (const button of document.querySelectorAll("[data-theme-button]")) {
    button.hidden = false
    button.addEventListener("click", () => setTheme(pageTheme() === "dark" ? "light" : "dark"))
  }
}
