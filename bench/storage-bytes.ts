import { type Kysely, sql } from 'kysely'
import { AGENT_GRANT, CLIENT_CREDENTIALS_GRANT } from '../src/protocol/grant-types.ts'
import { partitionPlans } from '../src/server/store/partition-plan.ts'
import { dropPartition, ensurePartitions, listPartitions } from '../src/server/store/partitions.ts'
import type { Database } from '../src/server/store/schema.ts'
import { startTestApp } from '../test/support/app.ts'
import { accessToken, givenAgent, givenClient, givenResource } from '../test/support/given.ts'
import { delegationClaims, givenWorkflow, mint, signedDelegation } from '../test/support/recorded.ts'

// Bytes that a mint leaves on disk and in the write-ahead log, for docs/scaling.md. The rows are those of real mints over
// HTTP; then each is copied many times with ids of its own, in the order of time, so that indexes have the shape that
// they have in use. Counts, not times: they hold on any machine.

const COPIES = Number(process.argv[2] ?? 200_000)
const A_STATEMENT = 16
const AGENTS = 20_000
const PROMPT = 'You plan invoices for the accounts of our customers, and hand each of them on. '.repeat(8).slice(0, 600)
const API = 'https://api.example.com/v1'

const app = await startTestApp()
const { db } = app.ctx
for (const partition of await listPartitions(db)) await dropPartition(db, partition)
await ensurePartitions(db, { now: app.ctx.now(), auditDays: 30 })
await givenResource(app, { resource: API, scopes: [{ name: 'read' }, { name: 'write' }], allow_bearer: false })
const access = [
  { resource: API, scope: 'read write' },
  { resource: app.issuer, scope: 'generate:intent-token register:intent register:workflow' },
]
const grant_types = [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT]
const client = await givenClient(app, { access, grant_types })
const [planner, helper] = await Promise.all(
  ['invoice-planner-v1', 'invoice-helper-v1'].map(agent_id =>
    givenAgent(app, client, agent_id, {
      agent_components: { agent_id, prompt_template: PROMPT, tools: [] },
      grant: { access: [access[0]], outside_workflow: true },
    }),
  ),
)
if (!planner || !helper) throw new Error('There are two agents.')
await givenWorkflow(app, client, 'invoice-workflow-v1', [
  { step_id: 'step_1_collect', agent_id: planner.agent_id, repeatable: true },
])

const asked = { resource: API, scope: 'read' }
const inStep = { ...asked, workflow_id: 'invoice-workflow-v1', step: 'step_1_collect' }
const kinds: Record<string, () => Promise<string>> = {
  async client_credentials() {
    await accessToken(app, client, asked)
    const row = await db
      .selectFrom('token')
      .select('jti')
      .where('agent_id', 'is', null)
      .limit(1)
      .executeTakeFirstOrThrow()
    return row.jti
  },
  async agent() {
    return jtiOf(await mint(app, client, planner, asked))
  },
  async 'agent, recorded step'() {
    return jtiOf(await mint(app, client, planner, inStep))
  },
  async 'agent, recorded and delegated'() {
    const parent = await mint(app, client, planner, inStep)
    if (!parent.claims) throw new Error(JSON.stringify(parent.body))
    const claims = delegationClaims(app, client, parent.claims, helper)
    const delegation_assertion = await signedDelegation(planner.key, claims)
    const execution_id = parent.claims.intent?.execution_id
    return jtiOf(await mint(app, client, helper, { ...inStep, execution_id, delegation_assertion }))
  },
}

function jtiOf({ claims, body }: Awaited<ReturnType<typeof mint>>): string {
  if (!claims) throw new Error(`No token was issued: ${JSON.stringify(body)}`)
  return claims.jti
}

console.log('Bytes of one row as it lies in its table (pg_column_size)')
const jtis = new Map<string, string>()
for (const [kind, mintOne] of Object.entries(kinds)) {
  const jti = await mintOne()
  jtis.set(kind, jti)
  const { rows } = await sql<Record<string, number>>`
    select (select pg_column_size(row.*) from token as row where jti = ${jti}) as token,
      (select pg_column_size(row.*) from audit_event as row where jti = ${jti} limit 1) as audit_event,
      (select sum(pg_column_size(row.*))::int from (select * from replay order by expires_at desc limit 2) as row)
        as replay_of_both,
      (select pg_column_size(row.*) from delegation as row
        where delegation_id = (select delegation_id from token where jti = ${jti})) as delegation,
      (select pg_column_size(row.*) from execution as row
        where execution_id = (select execution_id from token where jti = ${jti})) as execution`.execute(db)
  console.log(kind.padEnd(32), rows[0])
}

for (const kind of ['agent', 'agent, recorded and delegated']) {
  await empty(db)
  const before = await walPosition(db)
  await copy(db, jtis.get(kind) ?? '', COPIES)
  const wal = (await walPosition(db)) - before
  console.log(
    `\n${kind}, ${COPIES} times, ${A_STATEMENT} a commit: WAL without full pages ${(wal / COPIES).toFixed(0)} bytes a mint`,
  )
  for (const { table } of partitionPlans(30)) console.log(table.padEnd(12), await sizes(db, table))
}

console.log(`\nThe registry, ${AGENTS} agents with one version and one key each, prompt of 600 characters`)
await copyAgents(db)
for (const table of ['agent', 'agent_key', 'registration']) {
  const { rows } = await sql<{ bytes: number }>`
    select pg_total_relation_size(${table}::regclass)::float8 / ${AGENTS} as bytes`.execute(db)
  console.log(table.padEnd(12), `${rows[0]?.bytes.toFixed(0)} bytes an agent`)
}
await app.close()

type Sizes = { rows: number; heap: number; total: number; by_index: string }

/** Bytes a row of heap and indexes, the heap's share apart. */
async function sizes(db: Kysely<Database>, table: string): Promise<string> {
  const { rows } = await sql<Sizes>`
    with part as (select inhrelid as oid from pg_inherits where inhparent = ${table}::regclass)
    select (select count(*)::int from ${sql.table(table)}) as rows,
      (select sum(pg_relation_size(oid))::float8 from part) as heap,
      (select sum(pg_total_relation_size(oid))::float8 from part) as total,
      (select string_agg(name || ' ' || bytes, ', ' order by bytes desc) from (
        select regexp_replace(pg_get_indexdef(indexrelid), '.* USING btree ', '') as name,
          round(sum(pg_relation_size(indexrelid)) / ${COPIES * (table === 'replay' ? 2 : 1)}) as bytes
          from pg_index join part on part.oid = indrelid group by 1) as index) as by_index`.execute(db)
  const [size] = rows
  if (!size || size.rows === 0) return 'nothing'
  const a = (bytes: number) => (bytes / size.rows).toFixed(0)
  return `${size.rows} rows, a row ${a(size.total)} bytes: heap ${a(size.heap)}, indexes ${a(size.total - size.heap)} (${size.by_index})`
}

async function empty(db: Kysely<Database>): Promise<void> {
  await sql`create table if not exists sample_token as select * from token`.execute(db)
  await sql`create table if not exists sample_audit as select * from audit_event`.execute(db)
  await sql`create table if not exists sample_replay as select * from replay`.execute(db)
  await sql`truncate token, audit_event, replay`.execute(db)
}

/** The rows of one mint again and again, with ids of their own: 128 random bits, and for the trail what time gives. */
async function copy(db: Kysely<Database>, jti: string, times: number): Promise<void> {
  const id = sql`translate(rtrim(encode(uuid_send(gen_random_uuid()), 'base64'), '='), '+/', '-_')`
  for (let done = 0; done < times; done += A_STATEMENT) {
    await db.transaction().execute(async tx => {
      const at = new Date(app.ctx.now().getTime() + Math.floor(done / 10))
      await sql`insert into replay select kind, owner, ${id}, expires_at
        from sample_replay, generate_series(1, ${A_STATEMENT / 2}) order by 2, 3 limit ${A_STATEMENT * 2}`.execute(tx)
      await sql`with fresh as materialized (select ${id} as jti, n from generate_series(1, ${A_STATEMENT}) n),
        minted as (insert into token select copy.* from sample_token row, fresh, jsonb_populate_record(row,
          jsonb_build_object('jti', fresh.jti, 'expires_at', row.expires_at + make_interval(secs => ${done} / 1000.0),
            'execution_id', row.execution_id || (${done} / 64), 'parent_jti', row.parent_jti || (${done} / 64),
            'delegation_id', row.delegation_id || (${done} / 64), 'client_id', 'app-' || (fresh.n * 37 + ${done}) % 500,
            'agent_id', 'invoice-planner-' || (fresh.n * 31 + ${done}) % 2000)) copy where row.jti = ${jti})
        insert into audit_event select copy.* from sample_audit row, fresh, jsonb_populate_record(row,
          jsonb_build_object('id', overlay(uuidv7()::text placing left(${app.ctx.timeId(at)}::text, 13) from 1 for 13),
            'jti', fresh.jti, 'execution_id', row.execution_id || (${done} / 64),
            'client_id', 'app-' || (fresh.n * 37 + ${done}) % 500,
            'agent_id', 'invoice-planner-' || (fresh.n * 31 + ${done}) % 2000)) copy where row.jti = ${jti}`.execute(tx)
    })
  }
}

async function copyAgents(db: Kysely<Database>): Promise<void> {
  const n = sql`generate_series(1, ${AGENTS}) n`
  const id = sql`${'invoice-planner-'} || n`
  await sql`insert into agent select copy.* from agent row, ${n}, jsonb_populate_record(row,
    jsonb_build_object('agent_id', ${id})) copy where row.agent_id = 'invoice-planner-v1'`.execute(db)
  await sql`insert into agent_key select copy.* from agent_key row, ${n}, jsonb_populate_record(row, jsonb_build_object(
    'agent_id', ${id}, 'jkt', encode(sha256(n::text::bytea), 'hex'))) copy
    where row.agent_id = 'invoice-planner-v1'`.execute(db)
  await sql`insert into registration select copy.* from registration row, ${n}, jsonb_populate_record(row,
    jsonb_build_object('agent_id', ${id}, 'registration_id', 'reg_invoice-planner-' || n || '_1763812345',
      'checksum', encode(sha256(n::text::bytea), 'hex'))) copy where row.agent_id = 'invoice-planner-v1'`.execute(db)
}

async function walPosition(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ bytes: number }>`
    select (pg_current_wal_insert_lsn() - '0/0')::float8 as bytes`.execute(db)
  return rows[0]?.bytes ?? 0
}
