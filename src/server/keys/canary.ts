import type { Kysely } from 'kysely'
import type { Database } from '../store/schema.ts'
import { insertCanary, readCanary } from '../store/sealing-canary.ts'
import { StartRefused } from '../store/start-refused.ts'
import type { Sealer } from './sealing.ts'

const PLACE = { table: 'sealing_canary', row: '1', column: 'sealed' }
const PLAINTEXT = Buffer.from('remit canary')

/**
 * Opens the canary with our keys, or writes it at the very first start. Throws StartRefused, having written nothing,
 * when the database was sealed under another key (reliability.md section 4).
 */
export async function checkCanary(db: Kysely<Database>, sealer: Sealer): Promise<void> {
  const canary = (await readCanary(db)) ?? (await writeCanary(db, sealer))
  if (canary && opens(sealer, canary.sealed)) return
  throw new StartRefused(
    `The key-encryption key is not the one this database was sealed with (kek_id ${canary?.kek_id}): give the file that holds that key in REMIT_KEK_FILE.`,
  )
}

async function writeCanary(db: Kysely<Database>, sealer: Sealer) {
  await insertCanary(db, { kek_id: sealer.kek_id, sealed: sealer.seal(PLAINTEXT, PLACE) })
  return await readCanary(db)
}

function opens(sealer: Sealer, sealed: Buffer): boolean {
  try {
    return sealer.open(sealed, PLACE).equals(PLAINTEXT)
  } catch {
    return false
  }
}
