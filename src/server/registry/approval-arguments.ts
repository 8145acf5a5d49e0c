import { decodeUtf8 } from '../../protocol/json.ts'
import type { Context } from '../context.ts'

/** Seals the JCS text of what an approval is asked for to its row: arguments are nowhere in the clear at rest. */
export function sealArguments(ctx: Context, approval_id: string, text: string): Buffer {
  return ctx.sealer.seal(Buffer.from(text, 'utf8'), placeOf(approval_id))
}

/** The JCS text that was sealed for an approval. Throws where it was changed. */
export function unsealArguments(ctx: Context, approval_id: string, sealed: Buffer): string {
  return decodeUtf8(ctx.sealer.open(sealed, placeOf(approval_id)))
}

function placeOf(approval_id: string) {
  return { table: 'approval', row: approval_id, column: 'arguments_sealed' }
}
