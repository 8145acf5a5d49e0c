import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { styleText } from 'node:util'
import type { Command } from 'commander'
import { destination, pino } from 'pino'
import type { Config } from '../server/config.ts'
import { startFailure } from './failure.ts'
import { openSession, type Session } from './session.ts'

/** A graceful stop that takes longer will not come to an end. */
const STOP_LIMIT_MILLISECONDS = 30_000
/** At a terminal, Ctrl-C under npm arrives twice: from the terminal and from npm. */
const SAME_KEYSTROKE_MILLISECONDS = 500

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('run the server; set up by environment variables and the file .env')
    .action(serve)
}

async function serve(_options: unknown, command: Command): Promise<void> {
  const session = openSession(command)
  const { loadConfig, readEnvironment } = await import('../server/config.ts')
  const config = loadConfig(readEnvironment())
  const stopAsked = firstSignal(session)
  if (!config.production) {
    const warning = 'DEVELOPMENT MODE: do not put this server on a network. For production set NODE_ENV=production.'
    session.out.note(styleText(['yellow', 'bold'], warning, { stream: process.stderr }))
  }
  const { startServer } = await import('../server/main.ts')
  // Standard output is the result's alone.
  const log = pino({ level: config.logLevel }, destination(2))
  const server = await startServer(config, log).catch((error: unknown) => {
    throw startFailure(error)
  })
  announce(session, config)
  await stopAsked
  session.out.note('Stopping; once more to stop at once.')
  setTimeout(() => process.exit(1), STOP_LIMIT_MILLISECONDS).unref()
  await server.stop()
}

/** Resolves at the first signal; a second one ends the process. */
async function firstSignal({ now }: Session): Promise<void> {
  await new Promise<void>(resolve => {
    let asked: number | undefined
    const onSignal = () => {
      const at = now().getTime()
      if (asked !== undefined && at - asked >= SAME_KEYSTROKE_MILLISECONDS) process.exit(1)
      asked ??= at
      resolve()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

function announce(session: Session, config: Config): void {
  const { issuer, adminUrl: admin_url, bootstrapTokenFile } = config
  const lines = [`Remit listens: ${issuer} (docs: ${issuer}/docs), administration: ${admin_url}`]
  // In development the server makes the file when there is no administrator, and removes it once it was used.
  const isOpen = !config.production && existsSync(bootstrapTokenFile)
  if (isOpen) {
    lines.push(
      `There is no administrator yet; the one-time token is in ${shortPath(bootstrapTokenFile)}. In another terminal:`,
      `  ${initCommand(config)}`,
    )
  }
  const bootstrap = isOpen && { bootstrap_token_file: bootstrapTokenFile }
  session.out.result({ issuer, admin_url, pid: process.pid, ...bootstrap }, lines.join('\n'))
}

/** Names only what differs from the defaults of `remit init`. */
function initCommand({ issuer, adminUrl, dataDir, bootstrapTokenFile }: Config): string {
  const options = [
    ...(dataDir === resolve('data') ? [] : ['--data-dir', shortPath(dataDir)]),
    ...(bootstrapTokenFile === resolve(dataDir, 'bootstrap-token')
      ? []
      : ['--token-file', shortPath(bootstrapTokenFile)]),
    ...(issuer === 'http://127.0.0.1:4000' ? [] : ['--url', issuer]),
    ...(adminUrl === 'http://127.0.0.1:4001' ? [] : ['--admin-url', adminUrl]),
  ]
  return ['npm run remit -- init --example', ...options].join(' ')
}

function shortPath(path: string): string {
  const short = relative('', path)
  return short.startsWith('..') ? path : short
}
