import { createInterface } from 'node:readline/promises'

/** Asks in a terminal. @returns what was typed, without the spaces around it; empty where the terminal was closed */
export async function ask(
  question: string,
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stderr,
): Promise<string> {
  const terminal = createInterface({ input, output })
  const closed = Promise.withResolvers<string>()
  terminal.once('close', () => closed.resolve(''))
  try {
    return (await Promise.race([terminal.question(question), closed.promise])).trim()
  } finally {
    terminal.close()
  }
}
