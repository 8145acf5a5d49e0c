import type { Page } from 'puppeteer-core'
import { settled } from './walk.ts'

/** A hand in the console that counts what it does: one for a click, one for a field that is filled, one for a key. */
export type Hand = {
  readonly page: Page
  /** Enters a room by the menu. */
  readonly room: (name: string) => Promise<void>
  /** Clicks a link, or whatever a selector finds first, of the content. */
  readonly link: (name: string) => Promise<void>
  readonly click: (selector: string) => Promise<void>
  readonly press: (button: string) => Promise<void>
  /** Presses a button of the open dialog. */
  readonly confirm: (button: string) => Promise<void>
  /** Fills the field whose label has this text. */
  readonly fill: (label: string, text: string) => Promise<void>
  readonly key: (name: 'Enter') => Promise<void>
  /** What it did since it was asked last. */
  readonly count: () => number
}

const PATIENCE = 20_000

export function handOn(page: Page): Hand {
  let actions = 0
  async function click(selector: string): Promise<void> {
    actions += 1
    await page.locator(selector).setTimeout(PATIENCE).click()
    await settled(page)
  }
  const named = (name: string, role: string) => `::-p-aria([name="${name}"][role="${role}"])`
  return {
    page,
    click,
    room: name => click(`.top nav ${named(name, 'link')}`),
    link: name => click(`main ${named(name, 'link')}`),
    press: button => click(`main ${named(button, 'button')}`),
    confirm: button => click(`dialog[open] ${named(button, 'button')}`),
    async fill(label, text) {
      actions += 1
      const field = `::-p-xpath(//label[contains(., ${JSON.stringify(label)})]//input)`
      await page.locator(field).setTimeout(PATIENCE).fill(text)
    },
    async key(name) {
      actions += 1
      await page.keyboard.press(name)
      await settled(page)
    },
    count() {
      const done = actions
      actions = 0
      return done
    },
  }
}
