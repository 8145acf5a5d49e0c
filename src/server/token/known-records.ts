import { OAuthError } from '../../protocol/errors.ts'
import { rememberLast } from '../../protocol/remember-last.ts'
import type { Context } from '../context.ts'
import type { AgentKeyRow } from '../store/agent-keys.ts'
import {
  nothingLapsed,
  type Presentation,
  type StandingAbove,
  standingAbove,
  type TokenAbove,
  tokensAbove,
} from '../store/delegations.ts'
import { type AskedRecord, findExecutionRecord, type Recorded } from '../store/execution-record.ts'
import { findExecution, type PinnedExecution } from '../store/executions.ts'
import { Undone } from '../store/group-commit.ts'
import {
  type AgentName,
  type AgentRecord,
  type ClientRecord,
  readAgentKeys,
  readAgents,
  readClients,
  readResources,
  readWorkflows,
  type Versioned,
} from '../store/records.ts'
import type { Resource } from '../store/resources.ts'
import type { RevocationRef } from '../store/revocations.ts'
import type { RecordRef } from '../store/standing.ts'
import type { CountingWorkflow } from '../store/workflows.ts'
import { lapseAbove } from './delegation-rules.ts'
import { KEPT_LARGE, type Keeper, keep } from './kept.ts'
import { changedTooOften } from './lapse-refusal.ts'

/** What a request rests on, for the write to compare: nothing else that was read from memory decides. */
export type Rests = { readonly records: readonly RecordRef[]; readonly refs: readonly RevocationRef[] }

/** What a pass of the token endpoints gets: the context, and the records of its request. */
export type PassContext = Context & { readonly known: Known }

/** The records of one request: from memory while they are there, or all from the database. */
export type Known = {
  readonly client: (client_id: string) => Promise<ClientRecord | undefined>
  readonly agent: (name: AgentName) => Promise<AgentRecord | undefined>
  /** Undefined: nobody's. An endorsed key is bound again by the write itself, and counts as it is then. */
  readonly agentKey: (jkt: string) => Promise<AgentKeyRow | undefined>
  readonly resource: (resource: string) => Promise<Resource | undefined>
  readonly workflow: (client_id: string, workflow_id: string) => Promise<CountingWorkflow | undefined>
  /** The tokens above a delegation: they never change. */
  readonly above: (jti: string) => Promise<readonly TokenAbove[]>
  /** Assumed to be good while nothing else is known. These three are read by the write, which judges by what it finds. */
  readonly standingAbove: (presentation: Presentation) => Promise<StandingAbove>
  readonly execution: (execution_id: string) => Promise<PinnedExecution | undefined>
  readonly executionRecord: (asked: AskedRecord) => Promise<Recorded>
  /** A version of an agent that the request rests on. */
  readonly relyOn: (record: RecordRef) => void
  /** Something that must not have been revoked. */
  readonly relyOnLife: (ref: RevocationRef) => void
  readonly rests: () => Rests
  /** Whether something came from memory, so that a refusal must be judged again. */
  readonly mayBeStale: () => boolean
}

export type RecordCache = {
  readonly known: (ctx: Context, fresh: boolean) => Known
  /** Forgets everything: a connection was lost, and what answers next may count its transactions anew. */
  readonly forget: () => void
}

/** Said of what was decided by records that have changed since they were read. */
export const STALE = 'stale'
export type Stale = typeof STALE

export async function unlessUndone<T>(written: Promise<T>): Promise<T | Stale> {
  try {
    return await written
  } catch (error) {
    if (error instanceof Undone) return STALE
    throw error
  }
}

/** How often records may change between two readings of one request. */
const READINGS = 4

/** Runs a pass by the records in memory, and, where those have changed, by what the database says now. */
export async function withKnownRecords<T>(ctx: Context, pass: (ctx: PassContext) => Promise<T | Stale>): Promise<T> {
  const own = { ...ctx, db: ctx.passDb, meeting: ctx.commits.reads }
  for (let reading = 0; reading < READINGS; reading += 1) {
    const result = await pass({ ...own, known: ctx.records.known(own, reading > 0) })
    if (result !== STALE) return result
  }
  throw changedTooOften()
}

/** A refusal that rests on something in memory is judged again. */
export async function unlessStale<T>(ctx: PassContext, judged: Promise<T>): Promise<T | Stale> {
  try {
    return await judged
  } catch (error) {
    if (error instanceof OAuthError && ctx.known.mayBeStale()) return STALE
    throw error
  }
}

/** One a process. Bounded, least recently used first out; exact because the write compares versions. */
export function createRecordCache(): RecordCache {
  let kept = openKept()
  return {
    known: (ctx, fresh) => knownOf(kept, ctx, fresh),
    forget() {
      kept = openKept()
    },
  }
}

const LARGE = { most: KEPT_LARGE }

function openKept() {
  const clients = keep<string, ClientRecord>(readClients, client_id => client_id)
  const agents = keep<AgentName, AgentRecord>(readAgents, ({ client_id, agent_id }) => `${client_id}/${agent_id}`)
  const resources = keep<string, Resource>(readResources, resource => resource)
  const keys = keep<string, AgentKeyRow>(readAgentKeys, jkt => jkt, { absent: true })
  const workflows = keep<{ client_id: string; workflow_id: string }, CountingWorkflow>(
    readWorkflows,
    ({ client_id, workflow_id }) => `${client_id}/${workflow_id}`,
    LARGE,
  )

  const above = keep<string, readonly TokenAbove[]>(unversioned(tokensAbove), jti => jti, LARGE)
  const standing = keepStanding()
  const executions = keep<string, PinnedExecution>(unversioned(findExecution), execution_id => execution_id, LARGE)
  const recorded = keep<AskedRecord, Recorded>(
    unversioned(findExecutionRecord),
    asked => `${asked.execution_id}|${asked.step_id}|${asked.arguments_digest}`,
    LARGE,
  )

  return { clients, agents, resources, keys, workflows, above, standing, executions, recorded }
}

/**
 * What stands above a delegation is assumed to stand, but not where a reading found otherwise under the same parent
 * token: a write that is refused undoes its batch, and one such client would undo one after the other.
 */
function keepStanding(): Keeper<Presentation, StandingAbove> {
  const fallen = new Map<string, boolean>()
  const read = async (ctx: Context, presentation: Presentation): Promise<StandingAbove> => {
    const found = await standingAbove(ctx, presentation)
    const isFallen = lapseAbove(presentation.above, found, presentation.claims, ctx.now()) !== undefined
    if (isFallen) rememberLast(fallen, presentation.claims.parent_jti, true, KEPT_LARGE)
    return found
  }
  return keep(unversioned(read), ({ claims }) => claims.digest, {
    assumed: presentation => (fallen.has(presentation.claims.parent_jti) ? undefined : nothingLapsed(presentation)),
  })
}

function knownOf(kept: ReturnType<typeof openKept>, ctx: Context, fresh: boolean): Known {
  const { clients, agents, resources, keys, workflows, above, standing, executions, recorded } = kept
  const records = new Map<string, RecordRef>()
  const refs: RevocationRef[] = []
  let mayBeStale = false

  async function find<Key, T>(from: Keeper<Key, T>, key: Key): Promise<Versioned<T> | undefined> {
    const { record, kept } = await from(ctx, key, fresh)
    mayBeStale ||= kept
    return record
  }
  const relyOn = (record: RecordRef) => {
    records.set(`${record.kind}|${record.id}|${record.part ?? ''}`, record)
  }

  return {
    async client(id) {
      const record = await find(clients, id)
      if (record) relyOn({ kind: 'client', id, version: record.version })
      return record?.value
    },
    async agent(name) {
      const record = await find(agents, name)
      const key = { id: name.client_id, part: name.agent_id }
      if (record) relyOn({ kind: 'agent', ...key, version: record.version })
      return record?.value
    },
    async agentKey(id) {
      const record = await find(keys, id)
      if (record?.value.source !== 'endorsed') relyOn({ kind: 'agent_key', id, version: record?.version ?? null })
      return record?.value
    },
    async resource(id) {
      const record = await find(resources, id)
      if (record) relyOn({ kind: 'resource', id, version: record.version })
      return record?.value
    },
    async workflow(client_id, workflow_id) {
      const record = await find(workflows, { client_id, workflow_id })
      if (record) relyOn({ kind: 'workflow', id: client_id, part: workflow_id, version: record.version })
      return record?.value
    },
    async above(jti) {
      return (await find(above, jti))?.value ?? []
    },
    async standingAbove(presentation) {
      return (await find(standing, presentation))?.value ?? nothing()
    },
    async execution(execution_id) {
      return (await find(executions, execution_id))?.value
    },
    async executionRecord(asked) {
      return (await find(recorded, asked))?.value ?? nothing()
    },
    relyOn,
    relyOnLife: ref => void refs.push(ref),
    rests: () => ({ records: [...records.values()], refs }),
    mayBeStale: () => mayBeStale,
  }
}

/** What needs no version, because it never changes or is read again. */
function unversioned<Key, T>(read: (ctx: Context, key: Key) => Promise<T | undefined>) {
  return async (ctx: Context, key: Key): Promise<Versioned<T> | undefined> => {
    const value = await read(ctx, key)
    return value === undefined ? undefined : { value, version: '' }
  }
}

function nothing(): never {
  throw new Error('A statement that has one row had none.')
}
