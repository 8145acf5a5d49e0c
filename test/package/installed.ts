import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const MODULES = join(ROOT, 'node_modules')
const BOUND = { timeout: 180_000 }
/** What the package depends on, taken from this project: no registry is asked. */
const DEPENDENCIES = ['jose', 'zod']

/** npm as a user would call it: nothing of the npm that runs the tests. */
async function npm(cwd: string, ...args: string[]): Promise<string> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))
  const { stdout } = await promisify(execFile)('npm', args, { ...BOUND, cwd, env })
  return stdout
}

/**
 * Packs a built package and installs it in a new folder, with its dependencies and an empty cache, offline: it throws where
 * the package needs anything else, or other versions than the project has.
 */
export async function installAlone(built: string, folder: string): Promise<void> {
  await mkdir(folder)
  await writeFile(join(folder, 'package.json'), '{"name":"alone","private":true,"type":"module"}')
  const sources = [built, ...DEPENDENCIES.map(name => join(MODULES, name))]
  const packed = await npm(folder, 'pack', ...sources, '--pack-destination', folder, '--ignore-scripts')
  const tarballs = packed.trim().split(/\s+/)
  const offline = ['--offline', '--cache', join(folder, '.npm'), '--no-audit', '--no-fund', '--ignore-scripts']
  await npm(folder, 'install', ...tarballs.map(name => `./${name}`), ...offline)
}

/** Everything that `npm ls --all` finds below a folder, as `name@version`; a framework that nobody installed has none. */
export async function installedPackages(folder: string): Promise<readonly string[]> {
  const tree: unknown = JSON.parse(await npm(folder, 'ls', '--all', '--json'))
  return [...new Set(namesIn(tree))].sort()
}

function namesIn(tree: unknown): readonly string[] {
  if (typeof tree !== 'object' || tree === null || !('dependencies' in tree)) return []
  return Object.entries(Object(tree.dependencies)).flatMap(([name, child]) => {
    const isThere = typeof child === 'object' && child !== null && 'version' in child
    return isThere ? [`${name}@${child.version}`, ...namesIn(child)] : []
  })
}

/** What a developer beside the package has: a framework, and types for the compiler. */
export async function bring(folder: string, ...names: string[]): Promise<void> {
  for (const name of names) {
    const place = join(folder, 'node_modules', name)
    if (existsSync(place)) continue
    await mkdir(dirname(place), { recursive: true })
    await symlink(join(MODULES, name), place)
  }
}

/** Type-checks files, and all declarations they reach unless `skipLibCheck`. Throws with the errors. */
export async function typeCheck(folder: string, { skipLibCheck = false }, ...files: string[]): Promise<void> {
  const compilerOptions = {
    ...{ strict: true, skipLibCheck, noEmit: true, exactOptionalPropertyTypes: true },
    ...{ target: 'es2024', module: 'nodenext', types: ['node'], resolveJsonModule: true, verbatimModuleSyntax: true },
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  const tsc = join(MODULES, 'typescript/bin/tsc')
  await promisify(execFile)(process.execPath, [tsc, '-p', folder], BOUND).catch((error: unknown) => {
    throw new Error(typeof error === 'object' && error && 'stdout' in error ? String(error.stdout) : String(error))
  })
}
