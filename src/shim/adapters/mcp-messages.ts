import { z } from 'zod'
import { OAuthError } from '../../protocol/errors.ts'

/** Lists in a row before one call: a server that always says they changed is not waited for. */
export const MAX_LISTS = 3

const cursor = z.string().optional()
const id = z.union([z.string(), z.number()])
const sentSchema = z.discriminatedUnion('method', [
  z.object({ id, method: z.literal('tools/list'), params: z.object({ cursor }).optional() }),
  z.object({ method: z.literal('tools/call'), params: z.object({ name: z.string(), arguments: z.unknown() }) }),
])
const changeSchema = z.object({ method: z.literal('notifications/tools/list_changed') })
const listedSchema = z.object({ id, result: z.object({ tools: z.unknown(), nextCursor: cursor }) })

/**
 * A request of an MCP client that is about tools; undefined for every other body. Throws `invalid_request` for a batch: its
 * calls would go without their steps.
 */
export function readSent(body: unknown): z.infer<typeof sentSchema> | undefined {
  const message: unknown = typeof body === 'string' ? JSON.parse(body) : undefined
  if (!Array.isArray(message)) return sentSchema.safeParse(message).data
  throw new OAuthError('invalid_request', 'Send the messages of a batch one by one.', { reason: 'mcp_batch' })
}

export function toolsKeepChanging(): OAuthError {
  return new OAuthError('temporarily_unavailable', 'The MCP server changes its tools faster than they can be listed.', {
    reason: 'tools_keep_changing',
  })
}

/** What a server says of its tools: that they changed, or a page of them in answer to the request of that id. */
export function readReceived(message: unknown): { changed: boolean; listed?: z.infer<typeof listedSchema> } {
  const listed = listedSchema.safeParse(message).data
  return {
    changed: changeSchema.safeParse(message).success,
    ...(listed?.result.tools !== undefined && { listed }),
  }
}
