import type { VersionDetail } from '../../protocol/agent-views.ts'
import type { Context } from '../context.ts'
import type { AgentName } from '../store/agent-lists.ts'
import { findActiveRegistration, type RegistrationRow } from '../store/registrations.ts'
import { versionOf } from './agent-decisions.ts'
import { diffComponents } from './agent-diff.ts'
import { registrationView } from './agent-views.ts'
import { warningsOf } from './component-warnings.ts'
import { openComponents, type StoredComponents, viewComponents } from './components.ts'

/**
 * Everything that an approver should read about one version, compared with `against` or else with the version that
 * counts. All text is visible text. Throws Problem `not_found`, also for a version of another agent.
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
  return {
    ...registrationView(version, ctx.now()),
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
  if (!active || active.registration_id === version.registration_id) return undefined
  return await versionOf(ctx, name, active.registration_id)
}

async function componentsOf(ctx: Context, { registration_id }: RegistrationRow): Promise<StoredComponents> {
  const components = await openComponents(ctx, registration_id)
  if (!components) throw new Error('A version that is there has no components.')
  return components
}
