import type { Context } from '../../src/server/context.ts'
import type { PassContext } from '../../src/server/token/known-records.ts'

/** The context of a pass that reads everything from the database. */
export function freshPass(ctx: Context): PassContext {
  return { ...ctx, known: ctx.records.known(ctx, true) }
}
