import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { after } from 'node:test'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
/** Nothing of the browser's own speaks to the network, and it leaves nothing behind. */
const ARGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--no-default-browser-check'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions'],
]

/** Runs in the page, so it is text here: what its policy blocked becomes a line of its console. */
const REPORT_POLICY = `addEventListener('securitypolicyviolation', event => {
  console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI)
})`

const executablePath = findChromium()

/** Options of a test that needs a browser: without one it is skipped, and says why. */
export const needsChromium = {
  skip: executablePath === undefined && 'there is no Chromium: install one, or name it in CHROME_PATH',
  timeout: 120_000,
}

/** A headless browser with a profile of its own; closed when the test, or the file, that called it ends. */
export async function launchChromium(args: readonly string[] = []): Promise<Browser> {
  if (executablePath === undefined) throw new Error('There is no Chromium.')
  const browser = await puppeteer.launch({ executablePath, headless: true, args: [...ARGS, ...args] })
  after(() => browser.close())
  return browser
}

/** What a page did that no page of ours may do; filled while it lives. */
export type Watched = { readonly page: Page; readonly foreign: string[]; readonly wrong: string[] }

/** A new page that is watched: requests to other origins, dialogs, errors, and what its policy blocked. */
export async function watchedPage(browser: Pick<Browser, 'newPage'>, origin: string): Promise<Watched> {
  const page = await browser.newPage()
  const foreign: string[] = []
  const wrong: string[] = []
  page.on('request', request => {
    const url = request.url()
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) foreign.push(url)
  })
  page.on('dialog', async dialog => {
    wrong.push(`dialog: ${dialog.message()}`)
    await dialog.dismiss()
  })
  page.on('pageerror', error => wrong.push(`error: ${error instanceof Error ? error.message : String(error)}`))
  await page.evaluateOnNewDocument(REPORT_POLICY)
  page.on('console', message => {
    if (message.type() === 'error' && /policy/i.test(message.text())) wrong.push(message.text())
  })
  return { page, foreign, wrong }
}

function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const places = NAMES.flatMap(name => folders.map(folder => join(folder, name)))
  return [process.env.CHROME_PATH ?? '', ...places].find(path => path !== '' && isExecutable(path))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
