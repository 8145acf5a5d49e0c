import type { Context } from '../context.ts'
import type { AgentName } from './agent-lists.ts'

/** Whether the client has an agent whose id differs from this one at most in case (unique index agent_id_caseless). */
export async function isAgentIdTaken(ctx: Context, { client_id, agent_id }: AgentName): Promise<boolean> {
  const row = await ctx.db
    .selectFrom('agent')
    .select('agent_id')
    .where('client_id', '=', client_id)
    .where(eb => eb(eb.fn<string>('lower', ['agent_id']), '=', agent_id.toLowerCase()))
    .executeTakeFirst()
  return row !== undefined
}
