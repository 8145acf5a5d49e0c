import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { readAddresses, readDataDir } from '../server/config.ts'
import { type Output, openOutput } from './output.ts'

/** What every command starts from; the only place of the command line that reads clock and randomness. */
export type Session = {
  readonly out: Output
  readonly dataDir: string
  readonly profileFile: string
  /** Of --url, where it was given. */
  readonly url?: string | undefined
  /** Where a server of this machine is, by the environment that it reads too. Throws ConfigError. */
  readonly localServer: () => { readonly issuer: string; readonly adminUrl: string }
  readonly now: () => Date
  readonly randomId: () => string
}

const globalOptions = z.object({
  json: z.boolean().default(false),
  dataDir: z.string().optional(),
  profile: z.string().optional(),
  url: z.string().optional(),
})

/** The options that every command takes. */
export function addGlobalOptions(program: Command): void {
  program
    .option('--json', 'write exactly one JSON value to standard output')
    .option('--data-dir <dir>', 'data directory of a server on this machine (default: REMIT_DATA_DIR, else ./data)')
    .option('--profile <file>', 'who you are for the admin API (default: cli.json in the data directory)')
    .option(
      '--url <url>',
      'issuer URL of the server (default: that of the profile, else of REMIT_ISSUER or REMIT_PORT)',
    )
}

export function openSession(command: Command): Session {
  const { json, profile, url, ...options } = globalOptions.parse(command.optsWithGlobals())
  const dataDir = options.dataDir ?? readDataDir()
  return {
    out: openOutput(json),
    dataDir,
    profileFile: profile ?? join(dataDir, 'cli.json'),
    ...(url !== undefined && { url: url.replace(/\/$/, '') }),
    localServer: readAddresses,
    now: () => new Date(),
    randomId: randomUUID,
  }
}
