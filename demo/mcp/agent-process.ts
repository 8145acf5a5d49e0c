import { holderKey } from '../../src/protocol/holder-key.ts'
import { memoryKeyStore } from '../../src/shim/memory-key-store.ts'
import { discover, RemitClient } from '../remit-client.ts'
import { type Command, commandSchema, type Refused, type Start, type TokenRequest } from './messages.ts'
import { type WorkingAgent, workingAgent } from './working-agent.ts'

// One agent, alone in its process: it makes its key itself and never tells it. Tasks come and results go as JSON over the
// channel to the process that started it; when that ends, so does this one.

const keyStore = memoryKeyStore()
let start: Start | undefined
let working: WorkingAgent | undefined

process.on('disconnect', () => process.exit())
process.on('message', async message => {
  const { id, command } = commandSchema.parse(message)
  try {
    process.send?.({ id, result: await obey(command) })
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
})

async function obey(command: Command): Promise<unknown> {
  if (command.do === 'start') {
    start = command.with
    working = workingAgent(start, keyStore)
    return { ...(await working.identity()), ...(await working.madeOf()), pid: process.pid }
  }
  if (!start || !working) throw new Error('The process was not told what it is.')
  if (command.do === 'work') return await working.work(command.task)
  if (command.do === 'changed') return await working.changed
  return await ask(start, command.request)
}

/** Past the shim, as code in this process could: the agent's own key, and whatever request. */
async function ask({ issuer, client_id, client_key }: Start, request: TokenRequest): Promise<Refused> {
  const own = await keyStore.load()
  if (!own) throw new Error('There is no key yet.')
  const client = new RemitClient(await discover(issuer), client_id, await holderKey(client_key))
  const { status, body } = await client.mint(request, await holderKey(own))
  return { status, body }
}
