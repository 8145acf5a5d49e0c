import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { answered } from '../seen.ts'
import type { Attempt } from '../threat.ts'
import { ask, type Crew } from './crew.ts'
import type { Remit } from './office.ts'
import { collect } from './work.ts'

const PROCESS = fileURLToPath(new URL('agent-process.ts', import.meta.url))
const keySchema = z.record(z.string(), z.json())
const helloSchema = z.object({ public_key: keySchema, credential: keySchema })

/**
 * The same code in the reader’s process, where the bookkeeper lives in a process of its own: it tries every key that it
 * finds. The bookkeeper itself books, before and after.
 */
export async function fromAnotherProcess(remit: Remit): Promise<readonly Attempt[]> {
  const child = fork(PROCESS, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  remit.defer(async () => void child.kill())
  const { public_key, credential } = helloSchema.parse((await once(child, 'message'))[0])
  const crew = await remit.hire({ credentials: [credential], elsewhere: { bookkeeper: public_key } })
  const { execution_id } = await collect(remit, crew)

  async function bookThere(): Promise<void> {
    const said = once(child, 'message')
    const { issuer } = remit.metadata
    child.send({ issuer, client_id: crew.client_id, api: remit.api.url, execution_id })
    const { status, error } = z.object({ status: z.int(), error: z.string().optional() }).parse((await said)[0])
    if (status !== 200) throw new Error(`the bookkeeper in its own process was refused: ${status} ${error ?? ''}`)
  }

  return [
    {
      what: 'Own process: the bookkeeper runs in another one; each key of the reader’s process is tried as its',
      refused: '400 invalid_dpop_proof (agent_key_mismatch)',
      async run() {
        await bookThere()
        const { bookkeeper } = crew.members
        const answers = []
        for (const key of keysHere(crew))
          answers.push(answered(await ask(remit, crew, bookkeeper, { step: 'book', execution_id }, key)))
        await bookThere()
        child.disconnect()
        const got = answers.some(seen => seen.got)
        return { got, answer: [...new Set(answers.map(seen => seen.answer))].join(', ') }
      },
    },
  ]
}

/** Everything that signs in this process: the agents’ keys and the client’s own. */
function keysHere({ members, key }: Crew) {
  return [...Object.values(members).flatMap(member => ('key' in member ? [member.key] : [])), key]
}
