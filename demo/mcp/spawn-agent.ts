import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Answer } from '../remit-client.ts'
import type { Defer } from '../remit-server.ts'
import {
  type Command,
  type Done,
  doneSchema,
  type Refused,
  refusedSchema,
  replySchema,
  type Start,
  type Started,
  startedSchema,
  type Task,
  type TokenRequest,
} from './messages.ts'

/** An agent in a process of its own, as the demo sees it: a name, a public key, and what it is told to do. */
export type SpawnedAgent = Started & {
  readonly agent_id: string
  /** A task that must be done. Throws with what refused it. */
  readonly work: (task: Task) => Promise<Done>
  /** A task that must be refused, by the server or by the MCP server's verifier. */
  readonly refused: (task: Task) => Promise<Answer>
  /** A token request past the shim, with the key of this process. */
  readonly ask: (request: TokenRequest) => Promise<Answer>
  /** Settles when the agent has heard that the MCP server's tools changed. */
  readonly changed: () => Promise<void>
}

const PROCESS = fileURLToPath(new URL('./agent-process.ts', import.meta.url))

/** Starts a process, which makes itself a key and tells the public half. */
export async function spawnAgent(start: Start, defer: Defer): Promise<SpawnedAgent> {
  const child = fork(PROCESS, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  defer(async () => {
    child.kill()
    await ended
  })
  const waiting = new Map<number, (reply: { result?: unknown; error?: string | undefined }) => void>()
  let asked = 0
  child.on('message', message => {
    const { id, ...reply } = replySchema.parse(message)
    waiting.get(id)?.(reply)
    waiting.delete(id)
  })
  child.once('close', code => {
    for (const answer of waiting.values()) answer({ error: `its process ended with ${code}` })
  })

  async function tell(command: Command): Promise<unknown> {
    const id = asked++
    const reply = new Promise<{ result?: unknown; error?: string | undefined }>(resolve => waiting.set(id, resolve))
    child.send({ id, command })
    const { result, error } = await reply
    if (error !== undefined) throw new Error(`${start.agent_id}: ${error}`)
    return result
  }

  async function give(task: Task): Promise<Done> {
    return doneSchema.parse(await tell({ do: 'work', task }))
  }

  const started = startedSchema.parse(await tell({ do: 'start', with: start }))
  return {
    ...started,
    agent_id: start.agent_id,
    async work(task) {
      const done = await give(task)
      if (done.refused) throw new Error(`${start.agent_id} was refused: ${JSON.stringify(done.refused)}`)
      return done
    },
    async refused(task) {
      const { refused } = await give(task)
      return answerOf(refused ?? { status: 200, body: {} })
    },
    async ask(request) {
      return answerOf(refusedSchema.parse(await tell({ do: 'ask', request })))
    },
    async changed() {
      await tell({ do: 'changed' })
    },
  }
}

function answerOf({ status, body }: Refused): Answer {
  return { status, body, headers: new Headers() }
}
