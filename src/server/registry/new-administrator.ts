import { policiesSchema } from '../../protocol/client.ts'
import { CLIENT_CREDENTIALS_GRANT } from '../../protocol/grant-types.ts'
import { ADMIN_SCOPES } from '../../protocol/own-resources.ts'
import type { Context } from '../context.ts'
import { type Client, insertClient } from '../store/clients.ts'
import { noteAdministrators } from './only-administrator.ts'

/** Who it is, and which act made it. */
type NewAdministrator = Pick<Client, 'client_id' | 'client_name' | 'owner' | 'jwks' | 'created_by'>

/** Writes an operator with every admin scope, whom no other administrator made: by bootstrap, or from the host. */
export async function insertAdministrator(tx: Context, administrator: NewAdministrator): Promise<void> {
  await insertClient(tx, {
    ...administrator,
    kind: 'operator',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks_uri: null,
    grant_types: [CLIENT_CREDENTIALS_GRANT],
    access: [{ resource: tx.config.adminAudience, scope: ADMIN_SCOPES.join(' ') }],
    registers_for: [],
    policies: policiesSchema.parse({}),
    status: 'active',
    created_at: tx.now(),
    updated_at: null,
  })
  await noteAdministrators(tx)
}
