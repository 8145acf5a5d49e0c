import { z } from 'zod'

/** Of one worker as prom-client gives it; names and types are what the sum goes by. */
export const measuredSchema = z.array(z.looseObject({ name: z.string(), type: z.string() }))
export type Measured = z.output<typeof measuredSchema>

const connectionSchema = z.union([
  z.strictObject({ connectionString: z.string() }),
  z.strictObject({ host: z.string(), port: z.number(), user: z.string(), database: z.string() }),
])

/** What the primary says to a worker. */
export const toWorkerSchema = z.discriminatedUnion('remit', [
  z.strictObject({
    remit: z.literal('start'),
    settings: z.record(z.string(), z.string()),
    connection: connectionSchema,
    turn: z.int32(),
  }),
  z.strictObject({ remit: z.literal('stop') }),
  z.strictObject({ remit: z.literal('measure'), id: z.int() }),
  z.strictObject({ remit: z.literal('metrics'), id: z.int(), text: z.string() }),
])
export type ToWorker = z.output<typeof toWorkerSchema>

/** What a worker says to the primary. */
export const toPrimarySchema = z.discriminatedUnion('remit', [
  z.strictObject({ remit: z.literal('ready') }),
  z.strictObject({
    remit: z.literal('refused'),
    name: z.string(),
    message: z.string(),
    code: z.string().optional(),
    port: z.int().optional(),
  }),
  z.strictObject({ remit: z.literal('measured'), id: z.int(), metrics: measuredSchema }),
  z.strictObject({ remit: z.literal('scrape'), id: z.int() }),
])
export type ToPrimary = z.output<typeof toPrimarySchema>
export type Refused = Extract<ToPrimary, { remit: 'refused' }>
