import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { z } from 'zod'
import { OAuthError } from '../../src/protocol/errors.ts'
import { publicMembers } from '../../src/protocol/holder-key.ts'
import { createAgent, createExecution } from '../../src/shim/index.ts'
import { memoryKeyStore } from '../../src/shim/memory-key-store.ts'
import { CAST, ENTRY, WORKFLOW } from '../story.ts'
import { toolOf } from './member.ts'
import { json } from './work.ts'

/*
 * The bookkeeper in an operating system process of its own: its key and the credential by which it logs in are made here
 * and never leave. The parent learns the public halves and says when to book.
 */

const orderSchema = z.object({
  issuer: z.string(),
  client_id: z.string(),
  api: z.string(),
  execution_id: z.string(),
})

const [jwk, credential] = [await newKey(), await newKey()]
process.send?.({ public_key: publicMembers(jwk), credential: publicMembers(credential) })

process.on('message', (message: unknown) => {
  book(orderSchema.parse(message)).then(
    status => process.send?.({ status }),
    error => process.send?.({ status: 0, error: error instanceof OAuthError ? error.code : String(error) }),
  )
})

async function book({ issuer, client_id, api, execution_id }: z.output<typeof orderSchema>): Promise<number> {
  const { prompt, scope } = CAST.bookkeeper
  const agent = createAgent({
    issuer,
    client: { client_id, key: credential },
    agent_id: 'bookkeeper',
    prompt,
    tools: [toolOf('bookkeeper')],
    access: [{ resource: api, scope: [scope], bindBody: true }],
    keyStore: memoryKeyStore(jwk),
  })
  const execution = createExecution({ workflow_id: WORKFLOW, execution_id })
  const response = await agent.run({ execution, workflow_step: 'book' }, () =>
    agent.fetch(`${api}/entries`, json(ENTRY)),
  )
  return response.status
}

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return await exportJWK(privateKey)
}
