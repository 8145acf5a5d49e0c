import { z } from 'zod'
import { closedLoop, openConnections } from './closed-loop.ts'
import { TOKEN_MARK } from './token-requests.ts'

const answerSchema = z.object({ access_token: z.string() })

/** The tokens that these requests get, in no order, past any clock. */
export async function mint(origin: string, requests: readonly Buffer[]): Promise<readonly string[]> {
  const tokens: string[] = []
  const connections = await openConnections(origin)
  try {
    await closedLoop(connections, { requests, mark: TOKEN_MARK }, body => {
      tokens.push(answerSchema.parse(JSON.parse(body.toString())).access_token)
    })
  } finally {
    for (const { close } of connections) close()
  }
  return tokens
}
