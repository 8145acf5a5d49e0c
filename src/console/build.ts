import { copyFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/*
 * Builds the console into dist/console: `npm run build:console`, and every `npm ci` by `prepare`. Nothing in it is
 * fetched from elsewhere, at build or at run time.
 */

const SOURCE = fileURLToPath(new URL('.', import.meta.url))
const TARGET = fileURLToPath(new URL('../../dist/console/', import.meta.url))
const FILES = ['index.html', 'assets/app.js', 'assets/app.css'] as const
/** Bytes of all files together: the page opens at once on a poor line. */
const MOST = 200_000

async function buildConsole(): Promise<void> {
  const { build } = await import('esbuild')
  await build({
    entryPoints: [
      { in: join(SOURCE, 'main.tsx'), out: 'app' },
      { in: join(SOURCE, 'app.css'), out: 'app' },
    ],
    outdir: join(TARGET, 'assets'),
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    tsconfig: fileURLToPath(new URL('../../tsconfig.console.json', import.meta.url)),
    logLevel: 'warning',
  })
  await copyFile(join(SOURCE, 'index.html'), join(TARGET, 'index.html'))
  const sizes = await Promise.all(FILES.map(async name => (await stat(join(TARGET, name))).size))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const parts = FILES.map((name, index) => `${name} ${kilobytes(sizes[index] ?? 0)}`)
  console.log(`console built: ${kilobytes(total)} (${parts.join(', ')})`)
  if (total > MOST) throw new Error(`The console is larger than ${kilobytes(MOST)}.`)
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} KB`
}

/** Without development dependencies there is nothing to build with: an installed package brings its console built. */
function hasEsbuild(): boolean {
  try {
    import.meta.resolve('esbuild')
    return true
  } catch {
    return false
  }
}

if (hasEsbuild()) await buildConsole()
else console.log('console not built: esbuild is a development dependency')
