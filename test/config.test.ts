import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { ConfigError, loadConfig, readEnvironment } from '../src/server/config.ts'

const PRODUCTION = {
  NODE_ENV: 'production',
  REMIT_ISSUER: 'https://as.example.com',
  DATABASE_URL: 'postgresql://remit:secret@db.example.com/remit',
  REMIT_KEK_FILE: '/run/secrets/kek',
  REMIT_BOOTSTRAP_TOKEN_FILE: '/run/secrets/bootstrap',
}

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

test('an empty environment is a development server on loopback (protocol.md section 11)', () => {
  const config = loadConfig({})

  assert.deepEqual(config, {
    issuer: 'http://127.0.0.1:4000',
    host: '127.0.0.1',
    port: 4000,
    adminListen: { host: '127.0.0.1', port: 4001 },
    adminUrl: 'http://127.0.0.1:4001',
    adminAudience: 'http://127.0.0.1:4000/admin',
    database: { dataDir: resolve('data') },
    dataDir: resolve('data'),
    bootstrapTokenFile: resolve('data/bootstrap-token'),
    workers: Math.min(availableParallelism(), 16),
    drainSeconds: 0,
    trustProxy: [],
    allowPrivateFetch: false,
    clientRate: 240_000,
    addressRate: 480_000,
    logLevel: 'info',
    production: false,
  })
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.trustProxy) && Object.isFrozen(config.database))
})

test('every setting of protocol.md section 11 reaches the configuration', () => {
  const config = loadConfig({
    ...PRODUCTION,
    REMIT_ISSUER: 'https://as.example.com/tenant',
    REMIT_HOST: '::',
    REMIT_PORT: '8443',
    REMIT_ADMIN_LISTEN: '[::1]:8444',
    REMIT_ADMIN_URL: 'https://admin.example.com',
    REMIT_DATA_DIR: '/var/lib/remit',
    REMIT_WORKERS: '64',
    REMIT_DRAIN_SECONDS: '12',
    REMIT_TRUST_PROXY: '10.0.0.0/8, 192.0.2.1,2001:db8::/32',
    REMIT_CLIENT_RATE: '600',
    REMIT_ADDRESS_RATE: '1200',
    REMIT_LOG_LEVEL: 'warn',
  })

  assert.deepEqual(config, {
    issuer: 'https://as.example.com/tenant',
    host: '::',
    port: 8443,
    adminListen: { host: '::1', port: 8444 },
    adminUrl: 'https://admin.example.com',
    adminAudience: 'https://as.example.com/tenant/admin',
    database: { url: PRODUCTION.DATABASE_URL },
    dataDir: '/var/lib/remit',
    kekFile: '/run/secrets/kek',
    bootstrapTokenFile: '/run/secrets/bootstrap',
    workers: 64,
    drainSeconds: 12,
    trustProxy: ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'],
    allowPrivateFetch: false,
    clientRate: 600,
    addressRate: 1200,
    logLevel: 'warn',
    production: true,
  })
})

test('without REMIT_ISSUER the issuer follows host and port, and `same` the admin URL (protocol.md section 11)', () => {
  assert.equal(loadConfig({ REMIT_HOST: '::1', REMIT_PORT: '5000' }).issuer, 'http://[::1]:5000')
  assert.equal(loadConfig({ REMIT_HOST: '0.0.0.0' }).issuer, 'http://127.0.0.1:4000')
  assert.equal(loadConfig({ REMIT_ADMIN_LISTEN: 'same', REMIT_PORT: '5000' }).adminUrl, 'http://127.0.0.1:5000')
  assert.equal(loadConfig({ REMIT_ADMIN_LISTEN: 'same' }).adminAudience, 'http://127.0.0.1:4000/admin')
})

test('a variable that is set to nothing counts as absent', () => {
  assert.deepEqual(loadConfig({ REMIT_KEK_FILE: '', DATABASE_URL: '', REMIT_PORT: '' }), loadConfig({}))
  assert.match(problemsOf({ ...PRODUCTION, REMIT_KEK_FILE: '' }).join(), /REMIT_KEK_FILE is required/)
})

test('.env of the working directory stands beneath the real environment (issue 2 item 4)', context => {
  const [before, directory] = [process.cwd(), mkdtempSync(join(tmpdir(), 'remit-env-'))]
  context.after(() => {
    process.chdir(before)
    rmSync(directory, { recursive: true })
  })
  writeFileSync(join(directory, '.env'), 'REMIT_PORT=4100\nPATH=/from/file\n')
  process.chdir(directory)

  const env = readEnvironment()

  assert.equal(env.REMIT_PORT, '4100')
  assert.equal(env.PATH, process.env.PATH)
})

test('production has no development default, and one start names all that is missing (protocol.md section 11)', () => {
  assert.deepEqual(problemsOf({ NODE_ENV: 'production' }).map(firstWord), [
    'DATABASE_URL',
    'REMIT_ISSUER',
    'REMIT_KEK_FILE',
    'REMIT_BOOTSTRAP_TOKEN_FILE',
  ])
})

test('all problems are told at once, whatever their kind', () => {
  const problems = problemsOf({
    NODE_ENV: 'production',
    DATABASE_URL: 'mysql://db',
    REMIT_ISSUER: 'http://as.example.com/',
    REMIT_KEK_FILE: '/kek',
    REMIT_PORT: '99999',
    REMIT_WORKER: '4',
  })

  assert.deepEqual(problems.map(firstWord).sort(), [
    'DATABASE_URL',
    'REMIT_BOOTSTRAP_TOKEN_FILE',
    'REMIT_ISSUER',
    'REMIT_ISSUER',
    'REMIT_PORT',
    'REMIT_WORKER',
  ])
})

test('the password of DATABASE_URL and of an issuer never reaches a message (attacks.md, secrets)', () => {
  const problems = problemsOf({ DATABASE_URL: 'pg://remit:hunter2@db', REMIT_ISSUER: 'https://u:hunter2@as.example' })

  assert.equal(problems.length, 2)
  assert.doesNotMatch(problems.join(), /hunter2/)
})

const REFUSED: ReadonlyArray<readonly [why: string, env: NodeJS.ProcessEnv, named: string]> = [
  ['a misspelt NODE_ENV would be development', { NODE_ENV: 'prod' }, 'NODE_ENV'],
  ['an unknown setting would silently do nothing', { REMIT_ISSUR: 'https://as.example' }, 'REMIT_ISSUR'],
  ['the issuer is absolute', { REMIT_ISSUER: 'as.example.com' }, 'REMIT_ISSUER'],
  ['the issuer is http or https', { REMIT_ISSUER: 'ftp://as.example.com' }, 'REMIT_ISSUER'],
  ['the issuer has no query (RFC 8414 section 2)', { REMIT_ISSUER: 'https://as.example?x=1' }, 'REMIT_ISSUER'],
  ['nor an empty one', { REMIT_ISSUER: 'https://as.example/a?' }, 'REMIT_ISSUER'],
  ['the issuer has no fragment (RFC 8414 section 2)', { REMIT_ISSUER: 'https://as.example#x' }, 'REMIT_ISSUER'],
  ['the issuer has no user', { REMIT_ISSUER: 'https://me@as.example' }, 'REMIT_ISSUER'],
  ['the issuer does not end with a slash', { REMIT_ISSUER: 'https://as.example/' }, 'REMIT_ISSUER'],
  ['the issuer has one spelling: case', { REMIT_ISSUER: 'https://AS.example' }, 'REMIT_ISSUER'],
  ['the issuer has one spelling: port', { REMIT_ISSUER: 'https://as.example:443' }, 'REMIT_ISSUER'],
  ['the issuer has one spelling: path', { REMIT_ISSUER: 'https://as.example/a/../b' }, 'REMIT_ISSUER'],
  ['http is for loopback only', { REMIT_ISSUER: 'http://as.example.com' }, 'REMIT_ISSUER'],
  ['a loopback look-alike is not loopback', { REMIT_ISSUER: 'http://127.0.0.1.example' }, 'REMIT_ISSUER'],
  ['another host needs an issuer', { REMIT_HOST: '192.0.2.7' }, 'REMIT_ISSUER'],
  ['production is https, also on loopback', { ...PRODUCTION, REMIT_ISSUER: 'http://127.0.0.1:4000' }, 'REMIT_ISSUER'],
  ['a host has no port', { REMIT_HOST: 'http://127.0.0.1' }, 'REMIT_HOST'],
  ['port 0 cannot be an issuer', { REMIT_PORT: '0' }, 'REMIT_PORT'],
  ['a port is a number', { REMIT_PORT: '4000x' }, 'REMIT_PORT'],
  ['a port fits 16 bits', { REMIT_PORT: '65536' }, 'REMIT_PORT'],
  ['the admin listener has a port', { REMIT_ADMIN_LISTEN: '127.0.0.1' }, 'REMIT_ADMIN_LISTEN'],
  ['two listeners need two addresses', { REMIT_ADMIN_LISTEN: '127.0.0.1:4000' }, 'REMIT_ADMIN_LISTEN'],
  ['a wildcard covers the other', { REMIT_HOST: '0.0.0.0', REMIT_PORT: '4001' }, 'REMIT_ADMIN_LISTEN'],
  ['the admin API is apart in production', { ...PRODUCTION, REMIT_ADMIN_LISTEN: 'same' }, 'REMIT_ADMIN_LISTEN'],
  ['admin on the network is https', { REMIT_ADMIN_LISTEN: '192.0.2.7:4001' }, 'REMIT_ADMIN_URL'],
  ['the admin URL is https', { REMIT_ADMIN_URL: 'http://admin.example.com' }, 'REMIT_ADMIN_URL'],
  [
    'with same there is one base',
    { REMIT_ADMIN_LISTEN: 'same', REMIT_ADMIN_URL: 'https://a.example' },
    'REMIT_ADMIN_URL',
  ],
  ['the audit trail is kept for a day or more', { REMIT_AUDIT_DAYS: '0' }, 'REMIT_AUDIT_DAYS'],
  ['for whole days', { REMIT_AUDIT_DAYS: '1.5' }, 'REMIT_AUDIT_DAYS'],
  ['only Postgres', { DATABASE_URL: 'mysql://db/remit' }, 'DATABASE_URL'],
  ['no embedded database in production', { ...PRODUCTION, DATABASE_URL: undefined }, 'DATABASE_URL'],
  ['no generated key in production', { ...PRODUCTION, REMIT_KEK_FILE: undefined }, 'REMIT_KEK_FILE'],
  ['some process serves', { REMIT_WORKERS: '0' }, 'REMIT_WORKERS'],
  ['no more workers than a database can take', { REMIT_WORKERS: '65' }, 'REMIT_WORKERS'],
  ['workers are counted', { REMIT_WORKERS: '1.5' }, 'REMIT_WORKERS'],
  ['a node does not wait for minutes', { REMIT_DRAIN_SECONDS: '61' }, 'REMIT_DRAIN_SECONDS'],
  ['not everybody is a proxy', { REMIT_TRUST_PROXY: '0.0.0.0/0' }, 'REMIT_TRUST_PROXY'],
  ['a proxy is an address', { REMIT_TRUST_PROXY: 'loopback' }, 'REMIT_TRUST_PROXY'],
  ['a range fits its family', { REMIT_TRUST_PROXY: '10.0.0.0/33' }, 'REMIT_TRUST_PROXY'],
  ['one bad entry among good ones counts', { REMIT_TRUST_PROXY: '10.0.0.1,true' }, 'REMIT_TRUST_PROXY'],
  ['mapped ranges are refused (attacks.md 30)', { REMIT_TRUST_PROXY: '::ffff:10.0.0.0/8' }, 'REMIT_TRUST_PROXY'],
  ['in any spelling (attacks.md 30)', { REMIT_TRUST_PROXY: '0:0:0:0:0:FFFF:a00:1' }, 'REMIT_TRUST_PROXY'],
  ['private fetches are on or absent', { REMIT_ALLOW_PRIVATE_FETCH: 'yes' }, 'REMIT_ALLOW_PRIVATE_FETCH'],
  ['0 does not mean on', { REMIT_ALLOW_PRIVATE_FETCH: '0' }, 'REMIT_ALLOW_PRIVATE_FETCH'],
  [
    'no private fetches in production (attacks.md 108)',
    { ...PRODUCTION, REMIT_ALLOW_PRIVATE_FETCH: '1' },
    'REMIT_ALLOW_PRIVATE_FETCH',
  ],
  ['a log level is known', { REMIT_LOG_LEVEL: 'verbose' }, 'REMIT_LOG_LEVEL'],
]

test('REMIT_AUDIT_DAYS is how many days the audit trail is kept, and without it that is for ever', () => {
  const set = ['30', ''].map(text => loadConfig({ REMIT_AUDIT_DAYS: text }).auditDays)
  assert.deepEqual(set, [30, undefined])
})

test('REMIT_ALLOW_PRIVATE_FETCH is 1 or true, and off without it (protocol.md section 11)', () => {
  const set = ['1', 'true', ''].map(text => loadConfig({ REMIT_ALLOW_PRIVATE_FETCH: text }).allowPrivateFetch)
  assert.deepEqual(set, [true, true, false])
})

describe('a refused setting is named in one sentence that says the mend (issue 2 item 4)', () => {
  for (const [why, env, named] of REFUSED) {
    test(why, () => {
      const problems = problemsOf(env)

      assert.equal(problems.length, 1, problems.join('\n'))
      assert.equal(firstWord(problems[0] ?? ''), named)
      assert.match(problems[0] ?? '', /^[ -~]+\.$/)
    })
  }
})

function firstWord(sentence: string): string {
  return /^[A-Z_]+/.exec(sentence)?.[0] ?? sentence
}
