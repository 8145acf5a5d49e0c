import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { newKey, type RequestFailed } from './api.ts'
import { FailureNote } from './failure.tsx'
import { asFailure } from './load.tsx'
import { useSession } from './session.ts'

export type ActFields = { reason: string; seconds: number }

export type Act = {
  readonly title: string
  /** One sentence: what will happen. */
  readonly effect: ComponentChildren
  readonly confirm: string
  readonly danger?: boolean
  /** Asks why; goes into the audit trail. */
  readonly reason?: boolean
  /** Asks for a number of seconds; says in a sentence what 0 does, with which the dialog begins. */
  readonly seconds?: { readonly label: string; readonly zero: string }
  /** What must be typed because the act is final. */
  readonly typed?: string
  /** Sends it. @returns what was done, in a sentence; nothing where `onDone` shows it itself */
  readonly run: (fields: ActFields, key: string) => Promise<string>
}

/** Asks before an act: who acts, what will happen. Stays open with the sentence of a refusal. */
export function ActDialog({ act, onDone, onClose }: { act: Act; onDone: (said: string) => void; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const { client_id, acting_owner } = useSession()
  const [fields, setFields] = useState<ActFields>({ reason: '', seconds: 0 })
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [failed, setFailed] = useState<RequestFailed>()
  // A request that got no answer is repeated under its key; anything changed is another request.
  const [key, setKey] = useState(newKey)

  useEffect(() => {
    const shown = dialog.current
    shown?.showModal()
    return () => shown?.close()
  }, [])

  function change(changed: Partial<ActFields>): void {
    setFields({ ...fields, ...changed })
    setKey(newKey())
  }

  async function submit(event: Event): Promise<void> {
    event.preventDefault()
    setBusy(true)
    setFailed(undefined)
    try {
      onDone(await act.run({ ...fields, reason: fields.reason.trim() }, key))
    } catch (error) {
      const refused = asFailure(error)
      if (refused.status !== 0) setKey(newKey())
      setFailed(refused)
      setBusy(false)
    }
  }

  const ready = !busy && (!act.reason || fields.reason.trim() !== '') && (!act.typed || typed === act.typed)
  return (
    <dialog ref={dialog} aria-labelledby="act-title" aria-describedby="act-effect" onClose={onClose}>
      <form onSubmit={submit}>
        <h2 id="act-title">{act.title}</h2>
        <p id="act-effect">{act.effect}</p>
        {act.reason && (
          <label>
            Reason, for the audit trail
            <input
              type="text"
              required
              maxLength={200}
              value={fields.reason}
              onInput={event => change({ reason: event.currentTarget.value })}
            />
          </label>
        )}
        {act.seconds !== undefined && (
          <>
            <label>
              {act.seconds.label}
              <input
                type="number"
                aria-describedby="act-zero"
                min={0}
                max={604_800}
                step={1}
                value={fields.seconds}
                onInput={event => change({ seconds: Math.trunc(event.currentTarget.valueAsNumber) || 0 })}
              />
            </label>
            <p id="act-zero" class="zero">
              {act.seconds.zero}
            </p>
          </>
        )}
        {act.typed !== undefined && (
          <label>
            <span>
              This is final. Type <code>{act.typed}</code> to go on
            </span>
            <input
              type="text"
              class="mono"
              autocomplete="off"
              spellcheck={false}
              value={typed}
              onInput={event => setTyped(event.currentTarget.value)}
            />
          </label>
        )}
        {failed && <FailureNote failed={failed} />}
        <p class="who">
          You act as <code>{client_id}</code> for <code>{acting_owner}</code>.
        </p>
        <div class="dialog-foot">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class={act.danger ? 'danger' : 'main'} disabled={!ready}>
            {busy ? 'Sending…' : act.confirm}
          </button>
        </div>
      </form>
    </dialog>
  )
}
