import { fork } from 'node:child_process'
import { type Defer, freePort } from '../../demo/remit-server.ts'
import type { Peer } from './peer.ts'

/** Runs one of the programs beside this file as a process of its own, on a free port, and waits until it serves. */
export async function startPeer(
  name: string,
  program: string,
  defer: Defer,
  setup: (origin: string) => object,
): Promise<Peer> {
  const origin = `http://127.0.0.1:${await freePort()}`
  const child = fork(new URL(program, import.meta.url), { stdio: ['ignore', 2, 2, 'ipc'] })
  defer(async () => {
    child.removeAllListeners('exit').kill('SIGKILL')
  })
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve()).once('error', reject)
    child.once('exit', code => reject(new Error(`${name} ended with ${code} before it served.`)))
    child.send({ origin, ...setup(origin) })
  })
  child.once('exit', code => console.error(`${name} ended with ${code}.`))
  const server = child.pid === undefined ? [] : [child.pid]
  return { name, origin, processes: () => ({ server, database: [] }) }
}
