import { z } from 'zod'

/** `?cursor=&limit=` of every list. */
export const pageQuery = z.strictObject({
  cursor: z.string().max(1024).optional(),
  limit: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, 'limit is a number from 1 to 200.')
    .transform(Number)
    .pipe(z.int().max(200, 'limit is a number from 1 to 200.'))
    .default(50),
})

/** `?below=` of one agent: its versions below this number, the next page of a history. */
export const versionsQuery = z.strictObject({
  below: z
    .string()
    .regex(/^[1-9][0-9]{0,8}$/, 'below is the number of a version.')
    .transform(Number)
    .optional(),
})

/** Asked for as a list is; `cursor` left out where it is absent. */
export function pageOfQuery({ cursor, limit }: z.output<typeof pageQuery>): { cursor?: string; limit: number } {
  return { limit, ...(cursor !== undefined && { cursor }) }
}

export function listOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable() })
}
