import { sql } from 'kysely'
import type { Context } from '../context.ts'
import { AGENT_KEY_COLUMNS, type AgentKeyRow } from './agent-keys.ts'
import { AGENT_COLUMNS, type Agent } from './agents.ts'
import { type ClientSecret, SECRETS_MAX } from './client-secrets.ts'
import { CLIENT_COLUMNS, type Client, withPolicies } from './clients.ts'
import { MOST_VALID, type ValidRegistration } from './registrations.ts'
import { RESOURCE_COLUMNS, type Resource } from './resources.ts'
import { together } from './together.ts'
import { assignedAgents, type CountingWorkflow, findActiveWorkflows } from './workflows.ts'

/*
 * The records that mints rest on, read for many requests at once. Each comes with its version, the id of the transaction
 * that wrote the row last (`xmin`): every change of a row changes it, whoever made it, so a copy that is kept is as good
 * as the row while the versions are equal. store/standing.ts compares them in the write.
 */

export type Versioned<T> = { readonly value: T; readonly version: string }

export type ClientRecord = { readonly client: Client; readonly secrets: readonly ClientSecret[] }

export type AgentRecord = {
  readonly agent: Agent
  /** Active and draining, the newest first; whether a time is over is for the reader to say. */
  readonly registrations: readonly Versioned<ValidRegistration>[]
  /** Whether a step of a workflow is the agent's. */
  readonly assigned: boolean
}

export type AgentName = Pick<Agent, 'client_id' | 'agent_id'>

const READ = 1

/** Clients with their secrets (primary keys). */
export const readClients = together(READ, async (ctx: Context, client_ids: readonly string[]) => {
  const ids = [...new Set(client_ids)]
  const clients = await ctx.db
    .selectFrom('client')
    .select([...CLIENT_COLUMNS, sql<string>`client.xmin::text`.as('row_version')])
    .where(sql<boolean>`client_id = any(${ids}::text[])`)
    .orderBy('client_id')
    .limit(ids.length)
    .execute()
  const secrets = await ctx.db
    .selectFrom('client_secret')
    .select(['client_id', 'secret_digest', 'created_at', 'expires_at'])
    .where(sql<boolean>`client_id = any(${ids}::text[])`)
    .orderBy('client_id')
    .orderBy('created_at', 'desc')
    .orderBy('secret_digest')
    .limit(ids.length * SECRETS_MAX)
    .execute()
  const found = new Map(
    clients.map(({ row_version: version, ...row }): [string, Versioned<ClientRecord>] => {
      const own = secrets.filter(secret => secret.client_id === row.client_id)
      return [row.client_id, { value: { client: withPolicies(row), secrets: own }, version }]
    }),
  )
  return client_ids.map(client_id => found.get(client_id))
})

/** Resources, deleted ones too (primary key). */
export const readResources = together(READ, async (ctx: Context, resources: readonly string[]) => {
  const ids = [...new Set(resources)]
  const rows = await ctx.db
    .selectFrom('resource')
    .select([...RESOURCE_COLUMNS, sql<string>`resource.xmin::text`.as('row_version')])
    .where(sql<boolean>`resource = any(${ids}::text[])`)
    .orderBy('resource')
    .limit(ids.length)
    .execute()
  const found = new Map(
    rows.map(({ row_version: version, ...value }): [string, Versioned<Resource>] => [
      value.resource,
      { value, version },
    ]),
  )
  return resources.map(resource => found.get(resource))
})

/** Agents with the versions that count (primary key of agent; index registration_live_checksum). */
export const readAgents = together(READ, async (ctx: Context, names: readonly AgentName[]) => {
  const unique = [...new Map(names.map(name => [keyOf(name), name])).values()]
  const asked = sql`unnest(${unique.map(name => name.client_id)}::text[], ${unique.map(name => name.agent_id)}::text[])`
  const rows = await ctx.db
    .selectFrom('agent')
    .leftJoinLateral(
      db =>
        db
          .selectFrom('registration')
          .select([
            'registration.registration_id',
            'registration.version',
            'registration.checksum',
            'registration.checksum_profile',
            'registration.status as version_status',
            'registration.drains_until',
            sql<string>`registration.xmin::text`.as('version_row'),
          ])
          .whereRef('registration.client_id', '=', 'agent.client_id')
          .whereRef('registration.agent_id', '=', 'agent.agent_id')
          .where('registration.status', 'in', ['active', 'draining'])
          .orderBy('registration.version', 'desc')
          // Of each agent: one with many versions must not leave none of another's.
          .limit(MOST_VALID)
          .as('valid'),
      join => join.onTrue(),
    )
    .select([
      ...AGENT_COLUMNS,
      'registration_id',
      'version',
      'checksum',
      'checksum_profile',
      'version_status',
      'drains_until',
      'version_row',
      sql<string>`agent.xmin::text`.as('agent_row'),
    ])
    .where(sql<boolean>`(agent.client_id, agent.agent_id) in (select * from ${asked})`)
    .orderBy('agent.client_id')
    .orderBy('agent.agent_id')
    .orderBy('valid.version', 'desc')
    .limit(unique.length * MOST_VALID)
    .execute()
  const agents = Map.groupBy(rows, keyOf)
  const bound = unique.filter(name => agents.get(keyOf(name))?.[0]?.outside_workflow === false)
  const assigned = new Set((await assignedAgents(ctx, bound)).map(keyOf))
  return names.map((name): Versioned<AgentRecord> | undefined => {
    const own = agents.get(keyOf(name)) ?? []
    const [row] = own
    if (!row) return undefined
    const value = {
      agent: agentOf(row),
      registrations: own.flatMap(registrationOf),
      assigned: assigned.has(keyOf(name)),
    }
    return { value, version: row.agent_row }
  })
})

type VersionColumns = {
  [name in keyof ValidRegistration as name extends 'status' ? 'version_status' : name]: ValidRegistration[name] | null
} & {
  readonly version_row: string | null
}

function agentOf<Row extends VersionColumns & { agent_row: string }>(row: Row) {
  const {
    registration_id,
    version,
    checksum,
    checksum_profile,
    version_status,
    drains_until,
    version_row,
    agent_row,
    ...agent
  } = row
  return agent
}

/** None in the row of an agent without a version that counts. */
function registrationOf(row: VersionColumns): readonly Versioned<ValidRegistration>[] {
  const {
    registration_id,
    version,
    checksum,
    checksum_profile,
    version_status: status,
    drains_until,
    version_row,
  } = row
  if (registration_id === null || version === null || checksum === null || checksum_profile === null) return []
  if (status === null || version_row === null) return []
  return [
    { value: { registration_id, version, checksum, checksum_profile, status, drains_until }, version: version_row },
  ]
}

/** What thumbprints are bound to, whoever has them, removed and expired ones too (primary key). */
export const readAgentKeys = together(READ, async (ctx: Context, jkts: readonly string[]) => {
  const ids = [...new Set(jkts)]
  const rows = await ctx.db
    .selectFrom('agent_key')
    .select([...AGENT_KEY_COLUMNS, sql<string>`agent_key.xmin::text`.as('row_version')])
    .where(sql<boolean>`jkt = any(${ids}::text[])`)
    .orderBy('jkt')
    .limit(ids.length)
    .execute()
  const found = new Map(
    rows.map(({ row_version: version, ...value }): [string, Versioned<AgentKeyRow>] => [value.jkt, { value, version }]),
  )
  return jkts.map(jkt => found.get(jkt))
})

/** The versions of workflows that count now. */
export const readWorkflows = together(
  READ,
  async (ctx: Context, names: readonly { readonly client_id: string; readonly workflow_id: string }[]) => {
    const rows = await findActiveWorkflows(ctx, names)
    const found = new Map(
      rows.map(({ row_version: version, client_id, workflow_id, ...value }): [string, Versioned<CountingWorkflow>] => [
        `${client_id}/${workflow_id}`,
        { value, version },
      ]),
    )
    return names.map(({ client_id, workflow_id }) => found.get(`${client_id}/${workflow_id}`))
  },
)

function keyOf({ client_id, agent_id }: AgentName): string {
  return `${client_id}/${agent_id}`
}
