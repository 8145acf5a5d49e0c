import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { z } from 'zod'
import { isPort, type ListenAddress, localUrl, parseListen, trustProblem } from './addresses.ts'
import {
  addressProblems,
  adminUrlProblem,
  issuerProblem,
  productionProblems,
  unknownVariables,
} from './config-problems.ts'

/** Everything that can be set from outside, parsed and frozen (protocol.md section 11). */
export type Config = {
  readonly issuer: string
  readonly host: string
  readonly port: number
  readonly adminListen: ListenAddress | 'same'
  /** Base of admin `htu` and Host, which is not the audience. */
  readonly adminUrl: string
  readonly adminAudience: string
  readonly database: { readonly url: string } | { readonly dataDir: string }
  readonly dataDir: string
  readonly kekFile?: string
  readonly bootstrapTokenFile: string
  /** Processes that serve; with one the process that was started serves itself. */
  readonly workers: number
  /** Between "not ready" and the end of the listeners, so that load balancers see it. */
  readonly drainSeconds: number
  readonly trustProxy: readonly string[]
  /** How many days the audit trail is kept; for ever without it. */
  readonly auditDays?: number
  /** Development: what clients name may be fetched from loopback and private networks, and by http. */
  readonly allowPrivateFetch: boolean
  /** Requests a minute of one client, and of one address, over all nodes. */
  readonly clientRate: number
  readonly addressRate: number
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
  readonly production: boolean
}

/** All that is wrong with the environment, a sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
const DEFAULT_DATA_DIR = './data'
/** Of a machine with more cores the database is the limit, long before more workers would be. */
const MOST_WORKERS_UNASKED = 16
/** Load balancers probe every few seconds and believe the second or third answer. */
const DRAIN_SECONDS = 5
/** More than one process can answer: what a fleet does not need, and a runaway one does not get from all nodes together. */
const DEFAULT_CLIENT_RATE = 240_000
const DEFAULT_ADDRESS_RATE = 480_000

const environment = z.object({
  NODE_ENV: z
    .enum(['production', 'development', 'test'], 'NODE_ENV must be production, development or test, or absent.')
    .default('development'),
  REMIT_ISSUER: z.string().superRefine(reportWith(issuerProblem)).optional(),
  REMIT_HOST: z
    .string()
    .regex(/^[A-Za-z0-9.:-]+$/, 'REMIT_HOST must be an address or a host name, without brackets or a port.')
    .default('127.0.0.1'),
  REMIT_PORT: z
    .string()
    .refine(isPort, 'REMIT_PORT must be a number from 1 to 65535.')
    .default('4000')
    .transform(Number),
  REMIT_ADMIN_LISTEN: z
    .string()
    .refine(text => text === 'same' || parseListen(text), 'REMIT_ADMIN_LISTEN must be host:port, or same.')
    .default('127.0.0.1:4001'),
  REMIT_ADMIN_URL: z.string().superRefine(reportWith(adminUrlProblem)).optional(),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\/./, 'DATABASE_URL must begin with postgres:// or postgresql://.')
    .optional(),
  REMIT_DATA_DIR: z.string().default(DEFAULT_DATA_DIR),
  REMIT_KEK_FILE: z.string().optional(),
  REMIT_BOOTSTRAP_TOKEN_FILE: z.string().optional(),
  REMIT_WORKERS: z
    .string()
    .regex(/^([1-9]|[1-5]\d|6[0-4])$/, 'REMIT_WORKERS must be a number from 1 to 64, or absent for one a core.')
    .transform(Number)
    .optional(),
  REMIT_DRAIN_SECONDS: z
    .string()
    .regex(/^(\d|[1-5]\d|60)$/, 'REMIT_DRAIN_SECONDS must be a number from 0 to 60, or absent.')
    .transform(Number)
    .optional(),
  REMIT_AUDIT_DAYS: z
    .string()
    .regex(/^[1-9]\d{0,4}$/, 'REMIT_AUDIT_DAYS must be a whole number of days from 1 to 99999, or absent.')
    .transform(Number)
    .optional(),
  REMIT_TRUST_PROXY: z
    .string()
    .default('')
    .transform(text => text.split(',').map(entry => entry.trim()))
    .transform(entries => entries.filter(entry => entry !== ''))
    .superRefine((entries, check) => report(entries.map(trustProblem).find(Boolean), check)),
  REMIT_ALLOW_PRIVATE_FETCH: z
    .enum(['1', 'true'], 'REMIT_ALLOW_PRIVATE_FETCH must be 1 or true, or absent.')
    .optional(),
  REMIT_CLIENT_RATE: rate('REMIT_CLIENT_RATE', DEFAULT_CLIENT_RATE),
  REMIT_ADDRESS_RATE: rate('REMIT_ADDRESS_RATE', DEFAULT_ADDRESS_RATE),
  REMIT_LOG_LEVEL: z.enum(LOG_LEVELS, `REMIT_LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}.`).default('info'),
})

const addresses = environment.pick({
  REMIT_ISSUER: true,
  REMIT_HOST: true,
  REMIT_PORT: true,
  REMIT_ADMIN_LISTEN: true,
  REMIT_ADMIN_URL: true,
})

/** Reads the configuration out of an environment. Throws ConfigError with every problem it finds. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const given = givenOf(env)
  const parsed = environment.safeParse(given)
  const problems = [
    ...unknownVariables(given, Object.keys(environment.shape)),
    ...(parsed.error?.issues.map(issue => issue.message) ?? []),
    ...(given.NODE_ENV === 'production' ? productionProblems(given) : []),
  ]
  if (!parsed.success) throw new ConfigError(problems)
  const config = configOf(parsed.data)
  problems.push(...addressProblems(config, given))
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

/** What `loadConfig` reads of an environment, to be handed to a worker: it must not read a file that changed since. */
export function settingsOf(env: NodeJS.ProcessEnv): Record<string, string> {
  const known = Object.keys(environment.shape)
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value && known.includes(name) ? [[name, value]] : [])),
  )
}

/** The environment of the process, with `.env` of the working directory beneath it. */
export function readEnvironment(): NodeJS.ProcessEnv {
  return { ...readDotEnv(), ...process.env }
}

/** Where a server of this machine keeps its data, for commands that are not the server and need no other setting. */
export function readDataDir(): string {
  return readEnvironment().REMIT_DATA_DIR || DEFAULT_DATA_DIR
}

/**
 * Issuer and base of the admin API of a server on this machine, for commands that are not the server. Throws ConfigError
 * for what is wrong with these settings alone.
 */
export function readAddresses(): Pick<Config, 'issuer' | 'adminUrl'> {
  const parsed = addresses.safeParse(givenOf(readEnvironment()))
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map(issue => issue.message))
  const { issuer, adminUrl } = addressesOf(parsed.data)
  return { issuer, adminUrl }
}

function readDotEnv(): NodeJS.ProcessEnv {
  try {
    return parseEnv(readFileSync('.env', 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw new ConfigError(['The file .env in the working directory cannot be read: mend its permissions or remove it.'])
  }
}

/** A variable that is set to nothing counts as absent: compose files pass them so. */
function givenOf(env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
}

function addressesOf(env: z.infer<typeof addresses>): Pick<Config, 'issuer' | 'adminListen' | 'adminUrl'> {
  const issuer = env.REMIT_ISSUER ?? localUrl(env.REMIT_HOST, env.REMIT_PORT)
  const adminListen = parseListen(env.REMIT_ADMIN_LISTEN) ?? 'same'
  const defaultAdminUrl = adminListen === 'same' ? issuer : localUrl(adminListen.host, adminListen.port)
  return { issuer, adminListen, adminUrl: env.REMIT_ADMIN_URL ?? defaultAdminUrl }
}

function configOf(env: z.infer<typeof environment>): Config {
  const { issuer, adminListen, adminUrl } = addressesOf(env)
  const dataDir = resolve(env.REMIT_DATA_DIR)
  return Object.freeze({
    issuer,
    host: env.REMIT_HOST,
    port: env.REMIT_PORT,
    adminListen: adminListen === 'same' ? adminListen : Object.freeze(adminListen),
    adminUrl,
    adminAudience: `${issuer}/admin`,
    database: Object.freeze(env.DATABASE_URL ? { url: env.DATABASE_URL } : { dataDir }),
    dataDir,
    ...(env.REMIT_KEK_FILE && { kekFile: resolve(env.REMIT_KEK_FILE) }),
    bootstrapTokenFile: resolve(env.REMIT_BOOTSTRAP_TOKEN_FILE ?? join(dataDir, 'bootstrap-token')),
    workers: env.REMIT_WORKERS ?? Math.min(availableParallelism(), MOST_WORKERS_UNASKED),
    drainSeconds: env.REMIT_DRAIN_SECONDS ?? (env.NODE_ENV === 'production' ? DRAIN_SECONDS : 0),
    trustProxy: Object.freeze(env.REMIT_TRUST_PROXY),
    ...(env.REMIT_AUDIT_DAYS !== undefined && { auditDays: env.REMIT_AUDIT_DAYS }),
    allowPrivateFetch: env.REMIT_ALLOW_PRIVATE_FETCH !== undefined,
    clientRate: env.REMIT_CLIENT_RATE,
    addressRate: env.REMIT_ADDRESS_RATE,
    logLevel: env.REMIT_LOG_LEVEL,
    production: env.NODE_ENV === 'production',
  })
}

function rate(name: string, standard: number) {
  return z
    .string()
    .regex(/^[1-9][0-9]{0,8}$/, `${name} must be a number of requests a minute, 1 or more.`)
    .default(String(standard))
    .transform(Number)
}

function reportWith(problemOf: (text: string) => string | undefined) {
  return (text: string, check: z.RefinementCtx) => report(problemOf(text), check)
}

function report(problem: string | undefined, check: z.RefinementCtx): void {
  if (problem) check.addIssue({ code: 'custom', message: problem })
}
