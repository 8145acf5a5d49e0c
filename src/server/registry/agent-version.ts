import { OAuthError } from '../../protocol/errors.ts'
import { epochSeconds } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import { insertRegistration } from '../store/registration-changes.ts'
import { findLiveByChecksum, type RegistrationRow } from '../store/registrations.ts'
import { sealComponents } from './components.ts'

/** Ids are unique in the server; a second try has a random end. */
const ID_TRIES = 3

/**
 * Writes a version with its sealed components and names it (protocol.md section 4). @returns its registration_id.
 * Throws `duplicate_agent` where this content is live: the index decides, not a read before the write.
 */
export async function insertVersion(
  tx: Context,
  text: string,
  row: Omit<RegistrationRow, 'registration_id'>,
): Promise<string> {
  const plain = `reg_${row.agent_id}_${epochSeconds(row.registered_at)}`
  for (let attempt = 0; attempt < ID_TRIES; attempt += 1) {
    const registration_id = attempt === 0 ? plain : `${plain}_${tx.randomId()}`
    const components_sealed = sealComponents(tx, registration_id, text)
    if (await insertRegistration(tx, { ...row, registration_id, components_sealed })) return registration_id
    const twin = await findLiveByChecksum(tx, row.client_id, row.agent_id, row.checksum)
    if (twin) throw duplicateAgent(row, twin.registration_id)
  }
  throw new OAuthError('temporarily_unavailable', 'No registration_id was free; try again.', {
    reason: 'registration_id_taken',
    status: 503,
    retry_after: 1,
  })
}

/** The checksum is that of a version that waits, counts or drains. */
export function duplicateAgent(
  { agent_id, checksum }: Pick<RegistrationRow, 'agent_id' | 'checksum'>,
  registration_id: string,
): OAuthError {
  return new OAuthError('duplicate_agent', 'A version with this checksum is pending, active or draining.', {
    registration_id,
    existing_agent_id: agent_id,
    checksum,
  })
}
