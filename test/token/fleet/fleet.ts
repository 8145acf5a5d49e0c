import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const AGENT_PROCESS = fileURLToPath(new URL('./agent-process.ts', import.meta.url))

const jwkSchema = z.looseObject({ kty: z.string() })
const resultSchema = z.object({
  pid: z.int(),
  status: z.int(),
  jkt: z.string(),
  body: z.record(z.string(), z.unknown()),
  claims: z
    .looseObject({ cnf: z.object({ jkt: z.string() }), agent_proof: z.looseObject({ key: z.string() }) })
    .optional(),
})
export type FleetResult = z.output<typeof resultSchema>

/** A process that has made its key and waits for its order. */
export type FleetProcess = {
  readonly jwk: z.output<typeof jwkSchema>
  readonly mint: (order: object) => Promise<FleetResult>
}

/** Starts processes of one agent; each is killed after `limitMs`, whatever it does. */
export async function startFleet(size: number, limitMs: number): Promise<readonly FleetProcess[]> {
  return await Promise.all(Array.from({ length: size }, () => startProcess(limitMs)))
}

async function startProcess(limitMs: number): Promise<FleetProcess> {
  const child = spawn(process.execPath, [AGENT_PROCESS], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const jwk = jwkSchema.parse(await nextLine(child, lines))
  return {
    jwk,
    async mint(order) {
      const exited = once(child, 'exit')
      child.stdin.end(JSON.stringify(order))
      const result = resultSchema.parse(await nextLine(child, lines))
      await exited
      return result
    },
  }
}

async function nextLine(child: ChildProcess, lines: AsyncIterator<string>): Promise<unknown> {
  const { value, done } = await lines.next()
  if (done) throw new Error(`A process of the fleet ended early: ${child.exitCode ?? child.signalCode}`)
  return JSON.parse(value)
}
