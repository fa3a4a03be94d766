/** A question that must be answered first. The browser holds the focus in it, and Escape closes it. */
import { type ReactNode, useEffect, useId, useRef } from 'react';

export function Modal({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby={heading} onClose={onClose} className="modal">
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  );
}
