import { styleText } from 'node:util'
import type { Command } from 'commander'
import type { Config } from '../server/config.ts'
import { type Check, fail, ok, warn } from '../server/diagnosis/check.ts'
import { CliFailure, EXIT } from './failure.ts'
import { openSession, type Session } from './session.ts'
import { discover } from './token-client.ts'

const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('say what is wrong with this server and how to mend it; changes and starts nothing')
    .action(async (_options: unknown, command: Command) => {
      const session = openSession(command)
      const checks = await examine(session)
      const isWell = checks.every(check => check.status !== 'fail')
      session.out.result({ ok: isWell, checks }, checks.map(lineOf).join('\n'))
      if (!isWell) process.exitCode = EXIT.failed
    })
}

async function examine(session: Session): Promise<Check[]> {
  // An older one does not get as far as this (bin/remit.js).
  const node = ok('node', `Node ${process.versions.node} will do.`)
  const config = await readConfig()
  if (Array.isArray(config)) return [node, ...config]
  const mode = config.production ? 'production' : 'development, not for a network'
  const { checkDataDirectory, checkEmbeddedBinaries } = await import('../server/diagnosis/data-directory.ts')
  const { checkStorage } = await import('../server/diagnosis/database.ts')
  return [
    node,
    ok('configuration', `Every setting is accepted (${mode}).`),
    await checkDataDirectory(config),
    ...('url' in config.database ? [] : [await checkEmbeddedBinaries(config)]),
    ...(await checkStorage(config, session.now)),
    await checkIssuer(config),
  ]
}

/** The configuration, or one finding for each thing that is wrong with it. */
async function readConfig(): Promise<Config | Check[]> {
  const { ConfigError, loadConfig, readEnvironment } = await import('../server/config.ts')
  try {
    return loadConfig(readEnvironment())
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(problem => fail('configuration', problem))
    throw error
  }
}

/** A server that runs is reached as its clients reach it. */
async function checkIssuer({ issuer }: Config): Promise<Check> {
  try {
    await discover(issuer)
    return ok('issuer', `The server answers at ${issuer}.`)
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error
    if (error.code !== 'unreachable') return fail('issuer', `${error.message} Set REMIT_ISSUER to its public URL.`)
    return warn('issuer', `No server answers at ${issuer}: start it with "npm start", or set REMIT_ISSUER to its URL.`)
  }
}

function lineOf({ name, status, message }: Check): string {
  return `${styleText(COLOURS[status], status.padEnd(4))}  ${name}: ${message}`
}
