import { useState } from 'preact/hooks'

const THEMES = ['auto', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]
const KEY = 'remit-console-theme'

/** The colours chosen, and what the next press of the button chooses. Lasts in this browser only. */
export function useTheme(): { theme: Theme; next: () => void } {
  const [theme, setTheme] = useState(storedTheme)
  function next(): void {
    const chosen = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto'
    if (chosen === 'auto') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, chosen)
    showTheme(chosen)
    setTheme(chosen)
  }
  return { theme, next }
}

export function storedTheme(): Theme {
  return THEMES.find(theme => theme === localStorage.getItem(KEY)) ?? 'auto'
}

/** Without the attribute the colours are those that the system prefers. */
export function showTheme(theme: Theme): void {
  if (theme === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
}
