import { type Access, accessText, grants, intersect, isWithin } from '../../protocol/access.ts'
import type { Grant } from '../../protocol/agent.ts'
import type { Compared } from '../../protocol/errors.ts'
import { splitScope } from '../../protocol/scope.ts'
import type { Config } from '../config.ts'
import type { Client } from '../store/clients.ts'

type Rights = { readonly access: Access; readonly outside_workflow: boolean }
type OwnNames = Pick<Config, 'issuer' | 'adminAudience'>

/** Whether a resource is ours: `<issuer>`, or anything below it, in any spelling of the same URL. */
export function isOwnResource(resource: string, { issuer }: OwnNames): boolean {
  const spellings = [resource, URL.parse(resource)?.href ?? resource]
  return spellings.some(
    spelling => spelling === issuer || [`${issuer}/`, `${issuer}?`].some(prefix => spelling.startsWith(prefix)),
  )
}

/** What a client may hand on: its access without our own two resources (protocol.md section 3). */
export function grantableAccess(access: Access, own: OwnNames): Access {
  return access.filter(entry => entry.resource !== own.issuer && entry.resource !== own.adminAudience)
}

/**
 * What was asked for beside a ceiling that it passes, for the trail: what lies outside may be no name of the registry,
 * and is counted (attack 111).
 */
export function comparedAccess(asked: Access, ceiling: Access): Compared {
  const within = intersect(asked, ceiling)
  const pairs = (access: Access) => access.flatMap(({ scope }) => splitScope(scope) ?? []).length
  return { asked_within: accessText(within) || 'none', asked_outside: pairs(asked) - pairs(within) }
}

/** What is asked for beyond what a client has: in a sentence, and with both sides for the trail. */
export type Excess = { readonly sentence: string; readonly reason: string; readonly compared: Compared }

/** What a grant has that the client could not hand on; undefined where it lies within. */
export function grantAbove(
  client: { access: Access },
  own: OwnNames,
  { access }: Pick<Grant, 'access'>,
): Excess | undefined {
  const ceiling = grantableAccess(client.access, own)
  if (isWithin(access, ceiling)) return undefined
  return {
    sentence: "The grant must lie within the client's own access to registered resources.",
    reason: 'grant_above_client',
    compared: comparedAccess(access, ceiling),
  }
}

/** A drain longer than the client's policy has it; undefined where it is not. */
export function drainAbove(
  { policies: { max_drain_seconds } }: Pick<Client, 'policies'>,
  drain_seconds: number,
): Excess | undefined {
  if (drain_seconds <= max_drain_seconds) return undefined
  return {
    sentence: `drain_seconds is too long: the client's policy max_drain_seconds allows ${max_drain_seconds} seconds at most.`,
    reason: 'drain_too_long',
    compared: { drain_seconds, max_drain_seconds },
  }
}

/** Whether a grant asks for nothing that the agent does not have already. */
export function isNoWider(next: Rights, held: Rights): boolean {
  return isWithin(next.access, held.access) && (held.outside_workflow || !next.outside_workflow)
}

/**
 * In production a client that mints intent tokens registers agents or workflows itself only with `require_approval`
 * (protocol.md section 4).
 */
export function registersUnapproved(
  client: { access: Access; policies: { require_approval: boolean } },
  { issuer, production }: Pick<Config, 'issuer' | 'production'>,
): boolean {
  const registers = ['register:intent', 'register:workflow'].some(scope => grants(client.access, issuer, scope))
  const mints = grants(client.access, issuer, 'generate:intent-token')
  return production && registers && mints && !client.policies.require_approval
}
