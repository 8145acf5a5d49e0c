import { hkdfSync } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Database } from '../store/schema.ts'
import { insertServerSecret, readServerSecret } from '../store/server-secrets.ts'
import { randomKey, type Sealer } from './sealing.ts'

/** Keys of 32 bytes, the same on every node, one a purpose: knowing one tells nothing of another. */
export type DerivedKeys = { readonly dpopNonce: Buffer; readonly cursor: Buffer; readonly workflowNames: Buffer }

const NAME = 'root'
const PLACE = { table: 'server_secret', row: NAME, column: 'sealed' }

/** The keys derived from the root secret, which the first start makes and seals (reliability.md section 4). */
export async function loadServerSecret(db: Kysely<Database>, sealer: Sealer, now: Date): Promise<DerivedKeys> {
  const stored = (await readServerSecret(db, NAME)) ?? (await makeServerSecret(db, sealer, now))
  return deriveKeys(sealer.open(stored.sealed, PLACE))
}

/** HKDF-SHA-256 (RFC 5869) of the root secret, the label as `info`. */
export function deriveKeys(root: Buffer): DerivedKeys {
  return {
    dpopNonce: derive(root, 'dpop-nonce'),
    cursor: derive(root, 'cursor'),
    workflowNames: derive(root, 'workflow-names'),
  }
}

async function makeServerSecret(db: Kysely<Database>, sealer: Sealer, now: Date) {
  const sealed = sealer.seal(randomKey(), PLACE)
  await insertServerSecret(db, { name: NAME, sealed, created_at: now })
  const stored = await readServerSecret(db, NAME)
  if (!stored) throw new Error('the root secret is gone')
  return stored
}

function derive(root: Buffer, label: string): Buffer {
  return Buffer.from(hkdfSync('sha256', root, Buffer.alloc(0), `remit ${label}`, 32))
}
