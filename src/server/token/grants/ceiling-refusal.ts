import { type Access, grants } from '../../../protocol/access.ts'
import { OAuthError } from '../../../protocol/errors.ts'
import { formatScope, splitScope } from '../../../protocol/scope.ts'
import type { Client } from '../../store/clients.ts'
import type { ProvenDelegation } from '../delegation.ts'
import type { StepAuthorization } from './workflow.ts'

type Ceilings = {
  readonly client: Client
  readonly resource: string
  readonly step: StepAuthorization
  readonly delegation: ProvenDelegation | undefined
}

/**
 * Makes what rethrows a refusal of audience or scope, with what step, initiator and delegation leave of the client's
 * access there for the audit row: names of the registry, not the words of a delegator or an issuer (attack 111).
 */
export function refusedUnder({ client, resource, step, delegation }: Ceilings): (error: unknown) => never {
  const left = (...ceilings: readonly Access[]) => leftOf(client.access, resource, ceilings)
  const { entry } = step
  return error => {
    if (!(error instanceof OAuthError)) throw error
    const compared = {
      ...error.details.compared,
      ...(step.access && { step_scope: left(step.access) }),
      ...(entry?.access && { initiator_scope: left(entry.access) }),
    }
    throw new OAuthError(error.code, error.message, {
      ...error.details,
      ...(Object.keys(compared).length > 0 && { compared }),
      ...(delegation && { delegated_scope: left(...delegation.ceilings) }),
      ...(entry && !entry.opening && { execution_id: entry.execution_id }),
    })
  }
}

/** The scopes of an access at one resource that all of these ceilings let through. */
export function leftOf(access: Access, resource: string, ceilings: readonly Access[]): string {
  const names = access.flatMap(pair => (pair.resource === resource ? (splitScope(pair.scope) ?? []) : []))
  return formatScope(names.filter(name => ceilings.every(ceiling => grants(ceiling, resource, name))))
}
