import { z } from 'zod'
import { suspendSchema } from '../../src/protocol/agent.ts'
import type { Caller } from '../../src/server/caller.ts'
import type { Context } from '../../src/server/context.ts'
import { act } from '../../src/server/registry/act.ts'
import { reject, retire } from '../../src/server/registry/agent-decisions.ts'
import { addKey, removeKey } from '../../src/server/registry/agent-key-administration.ts'
import { rollback } from '../../src/server/registry/agent-rollback.ts'
import { resume, suspend } from '../../src/server/registry/agent-suspension.ts'
import { getAgent } from '../../src/server/registry/agent-views.ts'
import type { AgentName } from '../../src/server/store/agent-lists.ts'
import { enterGateExclusive } from '../../src/server/store/gate.ts'
import { APPROVER, run } from './given.ts'

export type Version = { readonly agent_id: string; readonly registration_id: string; readonly checksum: string }

export function nameOf(client_id: string, agent_id = 'planner'): AgentName {
  return { client_id, agent_id }
}

/** The acts of the admin API on one agent, by whoever `by` is. */
export function decisions(ctx: Context, client_id: string, by: Caller = APPROVER, agent_id = 'planner') {
  const name = nameOf(client_id, agent_id)
  const gated = { endpoint: 'POST /test', body: {}, answer: z.any(), before: enterGateExclusive }
  const event = { action: 'agent.suspend', ...name, details: {} } as const
  return {
    reject: (version: Version, reason = 'Too broad.') =>
      run(ctx, tx => reject(tx, by, name, { ...named(version), reason })),
    retire: ({ registration_id }: Version) => run(ctx, tx => retire(tx, name, { registration_id })),
    rollback: (version: Version, drain_seconds = 0) =>
      run(ctx, tx => rollback(tx, by, name, { ...named(version), drain_seconds })),
    suspend: async (reason = 'It leaks.') =>
      (await act(ctx, by, event, gated, tx => suspend(tx, by, name, suspendSchema.parse({ reason })))).body,
    resume: async () => (await act(ctx, by, event, gated, tx => resume(tx, by, name))).body,
    addKey: (jwk: object) => run(ctx, tx => addKey(tx, by, name, { jwk: { ...jwk } })),
    removeKey: (jkt: string) => run(ctx, tx => removeKey(tx, name, jkt)),
  }
}

export async function statusesOf(ctx: Context, client_id: string, agent_id = 'planner'): Promise<string[]> {
  const { registrations } = await getAgent(ctx, nameOf(client_id, agent_id))
  return registrations.map(version => `${version.version} ${version.status}`)
}

function named({ registration_id, checksum }: Version) {
  return { registration_id, checksum }
}
