import { z } from 'zod'

const cursor = z.string().optional()
const id = z.union([z.string(), z.number()])
const sentSchema = z.discriminatedUnion('method', [
  z.object({ id, method: z.literal('tools/list'), params: z.object({ cursor }).optional() }),
  z.object({ method: z.literal('tools/call'), params: z.object({ name: z.string(), arguments: z.unknown() }) }),
])
const changeSchema = z.object({ method: z.literal('notifications/tools/list_changed') })
const listedSchema = z.object({ id, result: z.object({ tools: z.unknown(), nextCursor: cursor }) })

/** A request of an MCP client that is about tools; undefined for every other body. */
export function readSent(body: unknown): z.infer<typeof sentSchema> | undefined {
  return typeof body === 'string' ? sentSchema.safeParse(JSON.parse(body)).data : undefined
}

/** What a server says of its tools: that they changed, or a page of them in answer to the request of that id. */
export function readReceived(message: unknown): { changed: boolean; listed?: z.infer<typeof listedSchema> } {
  const listed = listedSchema.safeParse(message).data
  return {
    changed: changeSchema.safeParse(message).success,
    ...(listed?.result.tools !== undefined && { listed }),
  }
}
