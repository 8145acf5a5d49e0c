import type { VersionDetail } from '../../protocol/agent-views.ts'
import { everCounted } from '../../protocol/version-state.ts'
import type { Context } from '../context.ts'
import type { AgentName } from '../store/agent-lists.ts'
import { findActiveRegistration, listRegistrations, type RegistrationRow } from '../store/registrations.ts'
import { versionOf } from './agent-decisions.ts'
import { diffComponents } from './agent-diff.ts'
import { findStanding, registrationView } from './agent-views.ts'
import { warningsOf } from './component-warnings.ts'
import { openComponents, type StoredComponents, viewComponents } from './components.ts'

/** Versions among which the one that counted before is looked for. */
const MOST_SEARCHED = 20

/**
 * Everything that an approver should read about one version, compared with `against` or else with the version that
 * counts; that one with the version that counted before it. All text is visible text. Throws Problem `not_found`, also for a version of another agent.
 */
export async function getVersion(
  ctx: Context,
  name: AgentName,
  registration_id: string,
  against?: string,
): Promise<VersionDetail> {
  const version = await versionOf(ctx, name, registration_id)
  const components = await componentsOf(ctx, version)
  const other = await comparedWith(ctx, name, version, against)
  const before = other && (await componentsOf(ctx, other))
  const { client_id, agent_id, content_digest, checksum_profile } = version
  const { agent } = await findStanding(ctx, name)
  return {
    ...registrationView(version, agent, ctx.now()),
    client_id,
    agent_id,
    components: viewComponents(components),
    warnings: await warningsOf(ctx, name, { checksum_profile, agent_components: components }, content_digest),
    against: other ? { registration_id: other.registration_id, version: other.version } : null,
    diff: before ? diffComponents(before, components) : null,
  }
}

async function comparedWith(
  ctx: Context,
  name: AgentName,
  version: RegistrationRow,
  against: string | undefined,
): Promise<RegistrationRow | undefined> {
  if (against !== undefined) return await versionOf(ctx, name, against)
  const active = await findActiveRegistration(ctx, name)
  if (!active) return undefined
  if (active.registration_id === version.registration_id) return await countedBefore(ctx, name, version)
  return await versionOf(ctx, name, active.registration_id)
}

/** The newest version below this one that ever counted, among the newest of them. */
async function countedBefore(
  ctx: Context,
  { client_id, agent_id }: AgentName,
  { version: below }: RegistrationRow,
): Promise<RegistrationRow | undefined> {
  const older = await listRegistrations(ctx, client_id, agent_id, { below, limit: MOST_SEARCHED })
  // Whatever became of the agent since.
  return older.find(version => everCounted(registrationView(version, { status: 'active' }, ctx.now())))
}

async function componentsOf(ctx: Context, { registration_id }: RegistrationRow): Promise<StoredComponents> {
  const components = await openComponents(ctx, registration_id)
  if (!components) throw new Error('A version that is there has no components.')
  return components
}
