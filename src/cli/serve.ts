import cluster from 'node:cluster'
import { relative, resolve } from 'node:path'
import { styleText } from 'node:util'
import type { Command } from 'commander'
import { destination, type Logger, pino } from 'pino'
import type { Config } from '../server/config.ts'
import type { RunningServer } from '../server/main.ts'
import { startFailure } from './failure.ts'
import { defaultOwner } from './owner.ts'
import { openSession, type Session } from './session.ts'

/** A graceful stop that takes longer than this after the load balancers saw it will not come to an end. */
const STOP_LIMIT_SECONDS = 55
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
  const { loadConfig, readEnvironment, settingsOf } = await import('../server/config.ts')
  const environment = readEnvironment()
  const config = loadConfig(environment)
  const stopAsked = firstSignal(session)
  if (!config.production) {
    const warning = 'DEVELOPMENT MODE: do not put this server on a network. For production set NODE_ENV=production.'
    session.out.note(styleText(['yellow', 'bold'], warning, { stream: process.stderr }))
  }
  // Standard output is the result's alone.
  const log = pino({ level: config.logLevel }, destination(2))
  const server = await start(config, settingsOf(environment), log).catch((error: unknown) => {
    throw startFailure(error)
  })
  announce(session, config, server)
  await stopAsked
  session.out.note('Stopping; once more to stop at once.')
  setTimeout(() => process.exit(1), (config.drainSeconds + STOP_LIMIT_SECONDS) * 1000).unref()
  await server.stop()
}

/** Where a process manager runs this as a worker of its own, that one says how many there are. */
async function start(config: Config, settings: Record<string, string>, log: Logger): Promise<RunningServer> {
  if (config.workers === 1 || cluster.isWorker) {
    const { startServer } = await import('../server/main.ts')
    return await startServer(config, log)
  }
  const { startWorkers } = await import('../server/workers/start-workers.ts')
  return await startWorkers(config, settings, log)
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

function announce(session: Session, config: Config, { awaitsAdministrator }: RunningServer): void {
  const { issuer, adminUrl: admin_url, bootstrapTokenFile } = config
  const listen = addressOf(config)
  const lines = [
    `Remit listens on ${listen} as ${issuer} (docs: ${issuer}/docs), administration: ${admin_url}`,
    ...(awaitsAdministrator
      ? [
          `There is no administrator yet; the one-time token is in ${shortPath(bootstrapTokenFile)}. In another terminal:`,
          `  ${initCommand(config)}`,
        ]
      : []),
  ]
  const bootstrap = awaitsAdministrator && { bootstrap_token_file: bootstrapTokenFile }
  session.out.result({ issuer, listen, admin_url, pid: process.pid, ...bootstrap }, lines.join('\n'))
}

function addressOf({ host, port }: Config): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Names who is meant and what differs from the defaults of `remit init`. */
function initCommand({ issuer, adminUrl, dataDir, bootstrapTokenFile, production }: Config): string {
  const options = [
    // The account that a production server runs under is nobody's name.
    ...['--owner', production ? 'user:local:NAME' : defaultOwner()],
    ...(dataDir === resolve('data') ? [] : ['--data-dir', shortPath(dataDir)]),
    ...(bootstrapTokenFile === resolve(dataDir, 'bootstrap-token')
      ? []
      : ['--token-file', shortPath(bootstrapTokenFile)]),
    ...(issuer === 'http://127.0.0.1:4000' ? [] : ['--url', issuer]),
    ...(adminUrl === 'http://127.0.0.1:4001' ? [] : ['--admin-url', adminUrl]),
  ]
  const command = production ? 'node bin/remit.js init' : 'npm run remit -- init'
  // The example is for development (example.ts).
  const example = issuer.startsWith('https:') ? [] : ['--example']
  return [command, ...example, ...options].join(' ')
}

function shortPath(path: string): string {
  const short = relative('', path)
  return short.startsWith('..') ? path : short
}
