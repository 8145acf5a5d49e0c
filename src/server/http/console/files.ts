import { open } from 'node:fs/promises'

/** What the console's page is made of, in `dist/console`, and where it is served. Nothing else ever is. */
export const CONSOLE_FILES = [
  { name: 'index.html', path: '/console/', type: 'text/html; charset=utf-8' },
  { name: 'assets/app.js', path: '/console/assets/app.js', type: 'text/javascript; charset=utf-8' },
  { name: 'assets/app.css', path: '/console/assets/app.css', type: 'text/css; charset=utf-8' },
] as const

export type ConsoleFileName = (typeof CONSOLE_FILES)[number]['name']
export type ConsoleFiles = Readonly<Record<ConsoleFileName, Buffer>>

const MAX_BYTES = 2 * 1024 * 1024
/** The same folder, seen from the sources and from what was built of them. */
const DIRECTORY = new URL(
  import.meta.url.endsWith('.ts') ? '../../../../dist/console/' : '../../../../console/',
  import.meta.url,
)

/** Reads the console once, at the start of the server. Undefined where it was not built, or is no console. */
export async function readConsoleFiles(directory: URL = DIRECTORY): Promise<ConsoleFiles | undefined> {
  const [html, js, css] = await Promise.all(CONSOLE_FILES.map(({ name }) => readBounded(new URL(name, directory))))
  return html && js && css && { 'index.html': html, 'assets/app.js': js, 'assets/app.css': css }
}

async function readBounded(url: URL): Promise<Buffer | undefined> {
  const file = await open(url, 'r').catch(() => undefined)
  if (!file) return undefined
  try {
    const stats = await file.stat()
    return stats.isFile() && stats.size <= MAX_BYTES ? await file.readFile() : undefined
  } finally {
    await file.close()
  }
}
