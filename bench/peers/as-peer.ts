/** The child's half of a peer: hears what to serve, serves it, and ends with its parent. */
export function asPeer(serve: (setup: unknown) => Promise<void>): void {
  process.on('disconnect', () => process.exit(0))
  process.on('message', setup => {
    serve(setup).then(
      () => process.send?.('ready'),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  })
}
