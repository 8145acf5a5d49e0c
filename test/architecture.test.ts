import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')

type SourceFile = { path: string; text: string; imports: string[] }

const sources = ['src', 'migrations', 'bin']
  .flatMap(folder =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(name => join(folder, name)),
  )
  .filter(path => /\.(tsx?|js)$/.test(path))
  .map(readSource)

function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(match => match[1] ?? '')
  const imports = specifiers.map(name =>
    name.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(path), name)) : name,
  )
  return { path, text, imports }
}

/** Where a file lives, from the most special to the most general. */
const AREAS = [
  'src/protocol',
  'src/verifier',
  'src/shim',
  'src/cli',
  'src/console',
  'src/server/http',
  'src/server/token',
  'src/server/registry',
  'src/server/keys',
  'src/server/audit',
  'src/server/store',
  'src/server/fetch',
  'src/server/webhooks',
  'src/server',
  'migrations',
  'bin',
]

function areaOf(path: string): string | undefined {
  return AREAS.find(area => path.startsWith(`${area}/`))
}

/** Types that every part of the server speaks in: config, context, caller, metrics and the limits stand above the areas. */
const SERVER_COMMON = [
  'src/server/config.ts',
  'src/server/addresses.ts',
  'src/server/address-group.ts',
  'src/server/context.ts',
  'src/server/caller.ts',
  'src/server/metrics.ts',
  'src/server/limits.ts',
]

/** architecture.md section 2: who may import whom, and why not more. */
const MAY_IMPORT: Readonly<Record<string, { areas: readonly string[]; reason: string }>> = {
  'src/protocol': { areas: [], reason: 'the wire is pure: agents and resource servers install it without the server' },
  'src/verifier': { areas: ['src/protocol'], reason: 'a resource server must not install the authorization server' },
  'src/shim': { areas: ['src/protocol'], reason: 'an agent process must not install the authorization server' },
  'src/cli': { areas: ['src/protocol', 'src/verifier'], reason: 'the command line is a client of the admin API' },
  'src/console': {
    areas: ['src/protocol'],
    reason: 'a page in a browser is a client of the admin API: shapes of the wire, and no server in the bundle',
  },
  'src/server/http': {
    areas: [
      'src/protocol',
      'src/verifier',
      'src/server/token',
      'src/server/registry',
      'src/server/keys',
      'src/server/audit',
      'src/server/store',
    ],
    reason: 'http is the outermost ring: it may call everything inside',
  },
  'src/server/token': {
    areas: ['src/protocol', 'src/server/registry', 'src/server/keys', 'src/server/audit', 'src/server/store'],
    reason: 'only http knows Fastify and HTTP',
  },
  'src/server/registry': {
    areas: ['src/protocol', 'src/server/audit', 'src/server/store', 'src/server/keys', 'src/server/fetch'],
    reason: 'the registry must not depend on how tokens are minted',
  },
  'src/server/keys': {
    areas: ['src/protocol', 'src/server/audit', 'src/server/store'],
    reason: 'keys know nothing of grants',
  },
  'src/server/audit': { areas: ['src/protocol', 'src/server/store'], reason: 'everyone audits, audit decides nothing' },
  'src/server/store': { areas: ['src/protocol', 'migrations'], reason: 'storage knows rows, not rules' },
  'src/server/fetch': {
    areas: ['src/protocol'],
    reason: 'what is fetched from addresses that others choose is judged here alone, and knows no rules or rows',
  },
  'src/server/webhooks': {
    areas: ['src/protocol', 'src/server/keys', 'src/server/audit', 'src/server/store', 'src/server/fetch'],
    reason: 'what was written into the outbox is told from there: no request waits for it, and it decides nothing',
  },
  migrations: { areas: [], reason: 'a migration is frozen in time and imports no application code' },
}

/** Exceptions, each with its reason. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  'src/cli/serve.ts': [
    'src/server/main.ts',
    'src/server/config.ts',
    'src/server/store/start-refused.ts',
    'src/server/workers/start-workers.ts',
  ],
  'src/cli/migrate.ts': ['src/server/offline.ts', 'src/server/config.ts', 'src/server/store'],
  'src/cli/backup.ts': ['src/server/offline.ts', 'src/server/config.ts', 'src/server/store'],
  'src/cli/restore.ts': [
    'src/server/offline.ts',
    'src/server/config.ts',
    'src/server/context.ts',
    'src/server/audit',
    'src/server/store',
    'src/server/keys',
  ],
  'src/cli/admin-recover.ts': ['src/server/offline.ts', 'src/server/config.ts', 'src/server/registry/recovery.ts'],
  'src/cli/doctor.ts': ['src/server'],
  'src/cli/openapi.ts': ['src/server/openapi.ts'],
  // Only where the server and its data are, from the same environment and `.env` as the server: one reader of both.
  'src/cli/session.ts': ['src/server/config.ts'],
}

const FORBIDDEN_PACKAGES: Readonly<Record<string, RegExp>> = {
  'src/protocol':
    /^(fastify|@fastify|pg$|kysely|pino|prom-client|commander|node:(fs|net|http|https|os|child_process|process|timers))/,
  'src/verifier': /^(fastify|@fastify|pg$|kysely|pino|prom-client|commander)/,
  // `build.ts` makes the page and is no part of it.
  'src/console':
    /^(fastify|@fastify|pg$|kysely|pino|prom-client|commander|jose|diff|yaml|node:(?!fs\/promises|path|url))/,
  'src/cli': /^(fastify|@fastify|kysely)/,
  'src/server/token': /^(fastify|@fastify|pg$)/,
  'src/server/registry': /^(fastify|@fastify|pg$)/,
  'src/server/keys': /^(fastify|@fastify|pg$)/,
  'src/server/audit': /^(fastify|@fastify|pg$)/,
  'src/server/store': /^(fastify|@fastify)/,
}

test('imports point inwards only (architecture.md section 2)', () => {
  const wrong: string[] = []
  for (const { path, imports } of sources) {
    const area = areaOf(path)
    const rule = area === undefined ? undefined : MAY_IMPORT[area]
    if (!area || !rule) continue
    for (const imported of imports) {
      const target = areaOf(imported)
      if (!target || target === area || rule.areas.includes(target)) continue
      if (area.startsWith('src/server/') && SERVER_COMMON.includes(imported)) continue
      if (EXCEPTIONS[path]?.some(allowed => imported === allowed || imported.startsWith(`${allowed}/`))) continue
      wrong.push(`${path} must not import ${imported}: ${rule.reason}`)
    }
  }
  assert.deepEqual(wrong, [])
})

/** An adapter may speak in the types of the framework that it is for; what runs is the user's own. */
function isFrameworkOfAdapter({ path, text }: SourceFile, name: string): boolean {
  const all = text.match(new RegExp(`from '${name}'`, 'g')) ?? []
  const types = text.match(new RegExp(`^import type \\{[^}]*\\} from '${name}'$`, 'gm')) ?? []
  return path === `src/verifier/adapters/${name}.ts` && all.length === types.length
}

test('packages stay in the ring that needs them (architecture.md section 1)', () => {
  const wrong = sources.flatMap(source => {
    const forbidden = FORBIDDEN_PACKAGES[areaOf(source.path) ?? '']
    return source.imports
      .filter(name => forbidden?.test(name) && !isFrameworkOfAdapter(source, name))
      .map(name => `${source.path} must not import ${name}`)
  })
  assert.deepEqual(wrong, [])
})

/** A pattern that may stand only in the files named, and why. */
const ONLY_IN: readonly { what: RegExp; files: readonly RegExp[]; reason: string }[] = [
  { what: /process\.env\b/, files: [/^src\/server\/config\.ts$/], reason: 'configuration has one reader' },
  {
    what: /\bnew Date\(\)|\bDate\.now\(|performance\.now\(/,
    files: [
      /^src\/server\/context\.ts$/,
      /^src\/cli\//,
      /^src\/console\/time\.tsx$/,
      /^src\/verifier\//,
      /^src\/shim\/create-agent\.ts$/,
      /^src\/server\/store\/embedded-/,
    ],
    reason: 'the clock is read in the context only, so that every rule about time can be tested',
  },
  {
    what: /\brandomBytes\(|\brandomUUID\(|Math\.random\(|getRandomValues\(/,
    files: [
      /^src\/server\/context\.ts$/,
      /^src\/server\/keys\/sealing\.ts$/,
      /^src\/cli\//,
      /^src\/console\/api\.ts$/,
      /^src\/shim\/new-jti\.ts$/,
      /^src\/verifier\/new-id\.ts$/,
    ],
    reason: 'chance enters through the context; keys are made where they are sealed',
  },
  { what: /\bsql\.(raw|lit)\b/, files: [/^migrations\//], reason: 'SQL text never comes from a value (attack 109)' },
  { what: /\bnow\(\)(?=[^`]*`)(?<=sql`[^`]*)/, files: [], reason: 'time is a parameter, never the database clock' },
  {
    what: /insertAuditRow\(/,
    files: [/^src\/server\/audit\/(?:own-)?events\.ts$/, /^src\/server\/store\/audit\.ts$/],
    reason: 'audit rows have one writer',
  },
  { what: /\sas (?!const\b)[A-Z{[]/, files: [], reason: 'parse, do not assert' },
  { what: /@ts-ignore|@ts-expect-error|@ts-nocheck/, files: [], reason: 'types are not switched off' },
]

test('single readers and writers stay single (architecture.md section 4)', () => {
  const wrong = sources.flatMap(({ path, text }) => {
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    return ONLY_IN.filter(rule => rule.what.test(code) && !rule.files.some(file => file.test(path))).map(
      rule => `${path} has ${rule.what.source}: ${rule.reason}`,
    )
  })
  assert.deepEqual(wrong, [])
})

test('every reason of a refusal is a literal of the code, never input', () => {
  const wrong = sources.flatMap(({ path, text }) =>
    [...text.matchAll(/\breason:\s*`[^`]*\$\{/g)].map(match => `${path}: ${match[0]}`),
  )
  assert.deepEqual(wrong, [])
})
