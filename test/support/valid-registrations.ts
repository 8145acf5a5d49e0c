import type { Context } from '../../src/server/context.ts'
import { readAgents } from '../../src/server/store/records.ts'
import { isValid, type ValidRegistration } from '../../src/server/store/registrations.ts'

/** The versions of an agent by which it may mint at an instant, the newest first. */
export async function validRegistrations(
  ctx: Context,
  client_id: string,
  agent_id: string,
  now: Date,
): Promise<readonly ValidRegistration[]> {
  const record = await readAgents(ctx, { client_id, agent_id })
  const versions = (record?.value.registrations ?? []).map(({ value }) => value)
  return versions.filter(version => isValid(version, now))
}
