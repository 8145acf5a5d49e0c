import { REASON_CATALOGUE } from '../../protocol/error-catalogue.ts'
import { Problem } from '../../protocol/problem.ts'
import { OTHER_REASON, type RefusalReport, type RefusalsRecorded } from '../../protocol/refusal-counts.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { listResourcesOfClient } from '../store/resources.ts'
import type { Outcome } from './act.ts'

/**
 * What an API says that it refused (protocol.md section 2), inside `act`: believed only of the client that the API's own
 * record names, as introspection does. Throws Problem `forbidden`.
 */
export async function reportRefusals(
  tx: Context,
  { client_id, sub }: Caller,
  { counts, resource }: RefusalReport,
): Promise<Outcome<RefusalsRecorded>> {
  // A person who uses the client is not the API.
  const resources = sub === client_id ? await listResourcesOfClient(tx, client_id, resource) : []
  if (resources.length === 0) {
    throw new Problem(
      'forbidden',
      'Only the client that is named in the record of a resource reports for it.',
      'not_client_of_resource',
    )
  }
  const body = { resources: [...resources], counts: knownCounts(counts) }
  return { status: 200, body, audit: { details: body } }
}

/**
 * One entry a reason that the error catalogue explains; all other words are one, so that no label of a metric and
 * nothing in the trail is input (attack 110).
 */
export function knownCounts(counts: RefusalReport['counts']): RefusalsRecorded['counts'] {
  const known = new Map<string, number>()
  for (const { reason, n } of counts) {
    const name = Object.hasOwn(REASON_CATALOGUE, reason) ? reason : OTHER_REASON
    known.set(name, (known.get(name) ?? 0) + n)
  }
  return [...known].map(([reason, n]) => ({ reason, n }))
}
