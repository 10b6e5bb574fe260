# What "cmake --install" puts where. Nothing goes to /etc: the example is among the documentation, which is complete, so that
# its links lead somewhere.

install(TARGETS popgate RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})

install(FILES README.md CHANGES.md CONTRIBUTING.md SECURITY.md LICENSE packaging/popgate.conf.example
	DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs
	FILES_MATCHING PATTERN "*.md" PATTERN "*.svg" PATTERN "*.scd")
install(FILES tests/bench/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/tests/bench)

configure_file(packaging/systemd/popgate.service.in
	${PROJECT_BINARY_DIR}/packaging/popgate.service @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/packaging/popgate.service packaging/systemd/popgate.socket
	DESTINATION lib/systemd/system)
install(FILES packaging/sysusers.d/popgate.conf DESTINATION lib/sysusers.d)

find_program(SCDOC scdoc)
if(SCDOC)
	set(manuals)
	foreach(page popgate.8 popgate-guard.1 popgate-state.1 popgate-table.1 popgate-uidl.1 popgate.conf.5)
		string(REGEX MATCH "[0-9]$" section ${page})
		set(source ${PROJECT_SOURCE_DIR}/docs/man/${page}.scd)
		set(manual ${PROJECT_BINARY_DIR}/man/${page})
		add_custom_command(OUTPUT ${manual}
			COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
			COMMAND sh -c [[exec "$1" <"$2" >"$3"]] sh ${SCDOC} ${source} ${manual}
			DEPENDS ${source} VERBATIM)
		list(APPEND manuals ${manual})
		install(FILES ${manual} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
	endforeach()
	add_custom_target(manuals ALL DEPENDS ${manuals})
endif()
