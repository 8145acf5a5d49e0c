import { z } from 'zod'
import { clientSchema } from '../../protocol/client.ts'
import { revocationAnswerSchema } from '../../protocol/revocation.ts'
import type { Context } from '../context.ts'
import { type ClientSecret, findSecretsOf } from '../store/client-secrets.ts'
import type { Client } from '../store/clients.ts'

export const clientCreatedSchema = clientSchema.extend({ client_secret: z.string().optional() })
/** The answer where a credential may have been taken away, which ends the tokens that the client holds for our APIs. */
const endedTokens = { ended_tokens: z.int().optional() }
export const clientChangedSchema = clientSchema.extend(endedTokens)
export const clientRotatedSchema = clientCreatedSchema.extend(endedTokens)
/** What went with a client; answers that older releases stored have it not. */
export const clientDeletedSchema = clientSchema.extend({ revocation: revocationAnswerSchema.optional() })
export type ClientDeleted = z.output<typeof clientDeletedSchema>
export type ClientChanged = z.output<typeof clientChangedSchema>
export type ClientRotated = z.output<typeof clientRotatedSchema>
export type ClientView = z.output<typeof clientSchema>
export type ClientCreated = z.output<typeof clientCreatedSchema>

/** A client as the admin API shows it. */
export async function viewOf(ctx: Context, client: Client): Promise<ClientView> {
  return clientView(client, await findSecretsOf(ctx, [client.client_id], ctx.now()))
}

/** `viewOf` for the clients of one page. */
export async function viewsOf(ctx: Context, clients: readonly Client[]): Promise<ClientView[]> {
  const ids = clients.map(client => client.client_id)
  const secrets = await findSecretsOf(ctx, ids, ctx.now())
  return clients.map(client =>
    clientView(
      client,
      secrets.filter(secret => secret.client_id === client.client_id),
    ),
  )
}

function clientView(client: Client, secrets: readonly ClientSecret[]): ClientView {
  const { created_by: _, created_at, updated_at, ...shown } = client
  return {
    ...shown,
    grant_types: [...client.grant_types],
    access: [...client.access],
    registers_for: [...client.registers_for],
    secrets: secrets.map(({ created_at, expires_at }) => ({
      created_at: created_at.toISOString(),
      expires_at: expires_at?.toISOString() ?? null,
    })),
    created_at: created_at.toISOString(),
    updated_at: updated_at?.toISOString() ?? null,
  }
}
